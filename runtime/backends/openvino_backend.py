"""Generators through OpenVINO on the CPU (extra `openvino`)."""

from pathlib import Path
from typing import Any

from toonfilter.runtime.backends.translator import Crops, Description, blank_inputs
from toonfilter.runtime.bundle import Bundle, Precision
from toonfilter.runtime.errors import BackendError, require


class OpenVinoTranslator:
    """See `Translator`. Inference runs in f32 or the file's own int8: bf16 would change results between machines.

    The file is compiled once for every shape. `warm_up` compiles it again for one crop of its size, which takes about
    a tenth less time per call; that is never done between frames, where it would take a third of a second.
    """

    def __init__(self, bundle: Bundle, *, precision: Precision, size: int, threads: int = 2) -> None:
        openvino = require("openvino", extra="openvino")
        self._bundle = bundle
        self._precision = precision
        self._version = str(openvino.__version__).split("-")[0]
        self._path: Path = bundle.path_of(bundle.file_for(precision, size))
        self._core: Any = openvino.Core()
        self._config = {
            "INFERENCE_PRECISION_HINT": "f32",
            "INFERENCE_NUM_THREADS": threads,
            "PERFORMANCE_HINT": "LATENCY",
        }
        self._model: Any = self._compiled(None)
        self._request: Any = self._model.create_infer_request()
        self._single_requests: dict[int, Any] = {}

    def _compiled(self, size: int | None) -> Any:
        """The file compiled for one crop of this size; without a size, for every shape."""
        try:
            model = self._core.read_model(self._path)
            if size is not None:
                channels = (3, self._bundle.input.guidance_channels)
                shapes = {index: [1, size, size, channels[index]] for index in range(len(model.inputs))}
                model.reshape(shapes)
            return self._core.compile_model(model, "CPU", self._config)
        except Exception as error:
            raise BackendError(f"OpenVINO cannot open {self._path.name}: {str(error).splitlines()[0]}") from error

    def translate(self, crops: Crops, guidance: Crops | None) -> Crops:
        feeds = [crops] if guidance is None or not self._bundle.input.guidance_channels else [crops, guidance]
        single = self._single_requests.get(crops.shape[1]) if len(crops) == 1 else None
        request = self._request if single is None else single
        try:
            request.infer(feeds, share_inputs=True)
            result: Crops = request.get_output_tensor(0).data
        except Exception as error:
            raise BackendError(f"OpenVINO failed on {self._bundle.name}: {str(error).splitlines()[0]}") from error
        return result

    def warm_up(self, size: int) -> None:
        if size not in self._single_requests:
            self._single_requests[size] = self._compiled(size).create_infer_request()
        self.translate(*blank_inputs(self._bundle, size))

    def close(self) -> None:
        self._request = None
        self._single_requests = {}
        self._model = None

    def describe(self) -> Description:
        devices = tuple(self._model.get_property("EXECUTION_DEVICES"))
        return Description("openvino", self._version, self._precision, "CPU", devices)
