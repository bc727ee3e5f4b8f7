"""The kernels as they ship (PTX); `tools/build_kernels.py` builds them from portrait.cu."""

from functools import lru_cache
from pathlib import Path

from toonfilter.runtime.errors import BackendError

SHIPPED = Path(__file__).with_name("portrait.ptx")


@lru_cache(maxsize=1)
def shipped_ptx() -> bytes:
    """The PTX, ended by a zero byte as the driver wants it.

    Raises:
        BackendError: the file is missing.
    """
    try:
        return SHIPPED.read_bytes() + b"\0"
    except OSError as error:
        raise BackendError(f"{SHIPPED.name} cannot be read ({error.strerror}); install toonfilter again") from error
