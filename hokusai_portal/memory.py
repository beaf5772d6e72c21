"""What the C library's allocator is told of large buffers; holds none itself."""

import ctypes
from typing import Final

# mallopt(3). Once set it stays: else each large buffer that is freed raises the size from which they are mapped.
M_MMAP_THRESHOLD: Final = -3
LARGE_BYTES: Final = 4 * 1024**2
# Set with the other, which else leaves it at 128 KiB: each piece of a download would go back, and be asked for again.
M_TRIM_THRESHOLD: Final = -1
KEPT_BYTES: Final = 2 * 1024**2


def give_back_large_buffers() -> None:
    """Have glibc map each buffer of 4 MiB and more by itself, and unmap it when it is freed.

    Parts of uploads are such. Each thread would keep what its last ones took, for good. Other C libraries have no
    such setting.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, LARGE_BYTES)
        mallopt(M_TRIM_THRESHOLD, KEPT_BYTES)
