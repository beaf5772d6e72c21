"""Large buffers are mapped each by itself, in a process of its own: glibc's setting is for good."""

import os
import platform
import subprocess
import sys

import pytest

# A buffer that is freed raises the size from which glibc maps them, beyond that of the next: unless it was told.
COUNT = """
import ctypes

class Numbers(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in "arena ordblks smblks hblks".split()] + [("_", ctypes.c_size_t * 6)]

libc = ctypes.CDLL(None)
libc.mallinfo2.restype = Numbers
{told}
large = bytearray(8 << 20)
del large
before = libc.mallinfo2().hblks
part = bytearray(5 << 20)
print(libc.mallinfo2().hblks - before)
"""
TOLD = "from hokusai_portal import memory; memory.give_back_large_buffers()"


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")
@pytest.mark.parametrize(("told", "mapped"), [(TOLD, "1"), ("", "0")], ids=["told", "not told"])
def test_part_of_an_upload_is_mapped_by_itself(told, mapped):
    told_by_none = {name: value for name, value in os.environ.items() if not name.startswith(("MALLOC_", "GLIBC_"))}
    count = [sys.executable, "-c", COUNT.format(told=told)]
    ended = subprocess.run(count, env=told_by_none, capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == mapped
