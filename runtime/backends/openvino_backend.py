"""Generators through OpenVINO on the CPU (extra `openvino`)."""

from typing import Any

from toonfilter.runtime.backends.translator import Crops, Description, blank_inputs
from toonfilter.runtime.bundle import Bundle, Precision
from toonfilter.runtime.errors import BackendError, require


class OpenVinoTranslator:
    """See `Translator`. Inference runs in f32 or the file's own int8: bf16 would change results between machines."""

    def __init__(self, bundle: Bundle, *, precision: Precision, size: int, threads: int = 2) -> None:
        openvino = require("openvino", extra="openvino")
        self._bundle = bundle
        self._precision = precision
        self._version = str(openvino.__version__).split("-")[0]
        path = bundle.path_of(bundle.file_for(precision, size))
        config = {
            "INFERENCE_PRECISION_HINT": "f32",
            "INFERENCE_NUM_THREADS": threads,
            "PERFORMANCE_HINT": "LATENCY",
        }
        try:
            self._model: Any = openvino.Core().compile_model(path, "CPU", config)
            self._request: Any = self._model.create_infer_request()
        except Exception as error:
            raise BackendError(f"OpenVINO cannot open {path.name}: {str(error).splitlines()[0]}") from error

    def translate(self, crops: Crops, guidance: Crops | None) -> Crops:
        feeds = [crops] if guidance is None or not self._bundle.input.guidance_channels else [crops, guidance]
        try:
            self._request.infer(feeds, share_inputs=True)
            result: Crops = self._request.get_output_tensor(0).data
        except Exception as error:
            raise BackendError(f"OpenVINO failed on {self._bundle.name}: {str(error).splitlines()[0]}") from error
        return result

    def warm_up(self, size: int) -> None:
        self.translate(*blank_inputs(self._bundle, size))

    def close(self) -> None:
        self._request = None
        self._model = None

    def describe(self) -> Description:
        devices = tuple(self._model.get_property("EXECUTION_DEVICES"))
        return Description("openvino", self._version, self._precision, "CPU", devices)
