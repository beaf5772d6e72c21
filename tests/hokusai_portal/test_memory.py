"""What glibc does with buffers of transfers, once it is told, in processes of their own: a setting is for good."""

import ctypes
import os
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
# A thread takes a piece of a download again and again; each page that went back is a fault when it is taken anew.
FAULTS = """
import resource, threading
{told}

def pieces():
    for _ in range(40):
        bytearray(1 << 20)

before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
thread = threading.Thread(target=pieces)
thread.start()
thread.join()
print((resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) * resource.getpagesize() >> 20)
"""
TOLD = "from hokusai_portal import memory; memory.give_back_large_buffers()"


pytestmark = pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallinfo2"), reason="no glibc, or an old one")


@pytest.mark.parametrize(("told", "mapped"), [(TOLD, "1"), ("", "0")], ids=["told", "not told"])
def test_part_of_an_upload_is_mapped_by_itself(told, mapped):
    assert run(COUNT.format(told=told)) == mapped


def test_pieces_of_a_download_take_no_new_memory_each():
    assert int(run(FAULTS.format(told=TOLD))) < 20


def run(script):
    told_by_none = {name: value for name, value in os.environ.items() if not name.startswith(("MALLOC_", "GLIBC_"))}
    script = [sys.executable, "-c", script]
    return subprocess.run(script, env=told_by_none, capture_output=True, text=True, check=True).stdout.strip()
