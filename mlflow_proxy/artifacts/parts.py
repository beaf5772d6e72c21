"""Cut an upload into parts and carry them with a bounded number of buffers per process; knows no store.

Every transfer has one buffer, which it fills. A full one travels beside the next only while a spare buffer, shared
by all transfers of the process, is free; else the transfer carries it itself and waits.
"""

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache

MIB = 1024**2
# S3 takes 5 MiB to 5 GiB a part and 10,000 parts: sizes that double every 2,000 reach 302 GiB.
SMALLEST = 5 * MIB
PARTS_OF_ONE_SIZE = 2000
MAXIMUM_PARTS = 10_000
# One already keeps the line to the store busy while the next part comes; more would only be held.
SPARE_BUFFERS = 1


def size_of(number: int) -> int:
    """Return how many bytes part ``number`` holds, counted from 1; the last of an upload holds fewer."""
    return SMALLEST << ((number - 1) // PARTS_OF_ONE_SIZE)


def cut(pieces: Iterable[bytes]) -> Iterator[bytearray]:
    """Yield parts of full size and a shorter last one, which is empty where the upload ends with a full part."""
    number, part = 1, bytearray()
    for piece in pieces:
        view = memoryview(piece)
        while len(view) >= (room := size_of(number) - len(part)):
            part += view[:room]
            view = view[room:]
            yield part
            number, part = number + 1, bytearray()
        part += view
    yield part


class Convoy:
    """The parts of one upload under way; ``carry`` sends one and is called from other threads as well."""

    def __init__(self, carry: Callable[[int, bytearray], None]) -> None:
        self._carry = carry
        self._under_way: list[Future[None]] = []

    def send(self, number: int, part: bytearray) -> None:
        """Return when the caller may fill its next buffer; raises what an earlier part has met by then."""
        for ended in [sending for sending in self._under_way if sending.done()]:
            self._under_way.remove(ended)
            ended.result()
        crew = _crew(os.getpid())
        if not crew.spare.acquire(blocking=False):
            self._carry(number, part)
            return
        sending = crew.pool.submit(self._carry, number, part)
        sending.add_done_callback(lambda _: crew.spare.release())
        self._under_way.append(sending)

    def arrive(self) -> None:
        """Wait for every part; raises what the first of those that failed has met."""
        failures = [sending.exception() for sending in self._under_way]
        self._under_way.clear()
        for failure in failures:
            if failure is not None:
                raise failure

    def halt(self) -> None:
        """Wait until nothing is under way, whatever became of it."""
        for sending in self._under_way:
            sending.cancel()
        for sending in self._under_way:
            if not sending.cancelled():
                sending.exception()
        self._under_way.clear()


class _Crew:
    def __init__(self) -> None:
        self.pool = ThreadPoolExecutor(SPARE_BUFFERS, thread_name_prefix="artifact-part")
        self.spare = threading.BoundedSemaphore(SPARE_BUFFERS)


@cache
def _crew(pid: int) -> _Crew:
    # Threads do not survive a fork: each worker has its own.
    del pid
    return _Crew()
