"""Generators through ONNX Runtime, on the CPU or on an execution provider asked for by name."""

from pathlib import Path
from typing import Any

from toonfilter.runtime.backends.translator import Crops, Description, blank_inputs
from toonfilter.runtime.bundle import Bundle, Precision
from toonfilter.runtime.errors import BackendError


class OnnxRuntimeTranslator:
    """See `Translator`. threads: CPU threads of one call."""

    def __init__(
        self,
        bundle: Bundle,
        *,
        precision: Precision,
        size: int,
        threads: int = 2,
        provider: str = "CPUExecutionProvider",
    ) -> None:
        import onnxruntime

        self._bundle = bundle
        self._precision = precision
        self._version: str = onnxruntime.__version__
        path = bundle.path_of(bundle.file_for(precision, size))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # Spinning threads would take the cores that tracking and encoding need.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        if provider not in onnxruntime.get_available_providers():
            raise BackendError(
                f"ONNX Runtime has no {provider} here; it has {', '.join(onnxruntime.get_available_providers())}"
            )
        self._session: Any = _open_session(onnxruntime, path, options, provider)
        self._providers = tuple(self._session.get_providers())
        if self._providers[0] != provider:
            raise BackendError(f"ONNX Runtime was asked for {provider} but runs {', '.join(self._providers)}")
        self._inputs = [entry.name for entry in self._session.get_inputs()]
        self._output = self._session.get_outputs()[0].name

    def translate(self, crops: Crops, guidance: Crops | None) -> Crops:
        feeds = dict(zip(self._inputs, (crops, guidance), strict=False))
        try:
            result: Crops = self._session.run([self._output], feeds)[0]
        except Exception as error:
            raise BackendError(f"ONNX Runtime failed on {self._bundle.name}: {str(error).splitlines()[0]}") from error
        return result

    def warm_up(self, size: int) -> None:
        self.translate(*blank_inputs(self._bundle, size))

    def close(self) -> None:
        self._session = None

    def describe(self) -> Description:
        device = "CPU" if self._providers[0] == "CPUExecutionProvider" else "GPU"
        return Description("onnxruntime", self._version, self._precision, device, self._providers)


def _open_session(onnxruntime: Any, path: Path, options: Any, provider: str) -> Any:
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=[provider])
    except Exception as error:
        raise BackendError(f"ONNX Runtime cannot open {path.name}: {str(error).splitlines()[0]}") from error
