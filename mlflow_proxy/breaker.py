"""A breaker: may a call pass, judged by how those before it ended; sends nothing, and knows nobody's name.

Closed, calls pass. Open, they are refused, and once a second one caller is told to ask a question of the portal's own,
whose answer closes it again: no caller's own call is risked for that.
"""

import itertools
import threading
import time
from collections.abc import Callable
from typing import Literal

FAILURES_IN_A_ROW = 5
WINDOW_SECONDS, WINDOW_CALLS, WINDOW_SHARE = 10.0, 20, 0.5
LONG_WAIT_SECONDS = 10.0
PAUSE_SECONDS = 1.0

Verdict = Literal["pass", "ask", "refuse"]
# ``late`` is a failure that may be the caller's own: it has asked for more than can be answered in time.
Outcome = Literal["answered", "failed", "late", "unknown"]


class Breaker:
    """Opens after five failures in a row, or when half of twenty calls or more within ten seconds fail.

    Where the one that tips the scale was late, it opens only if the question fails too. So it does when ``crowd`` calls
    have waited for ten seconds each: a server that hangs would hold every thread before the first deadline.
    ``on_change`` is told whether it is open, under the lock.
    """

    def __init__(
        self, *, crowd: int, on_change: Callable[[bool], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.is_open, self._is_doubted = False, False
        self._crowd, self._on_change, self._clock = crowd, on_change, clock
        self._lock = threading.Lock()
        self._numbers = itertools.count()
        self._waiting: dict[int, float] = {}
        self._failures_in_a_row = 0
        self._window_began_at, self._calls, self._failures = clock(), 0, 0
        self._changed_at = clock()
        self._is_asking, self._ask_at = False, clock()

    def judge(self) -> Verdict:
        """Say what the next call may do; who is told ``ask`` owes a call of ``conclude``."""
        # Three reads and no lock: this is the way of every call while all is well.
        if not self.is_open and not self._is_doubted and len(self._waiting) < self._crowd:
            return "pass"
        with self._lock:
            now = self._clock()
            if not self.is_open and not self._is_doubted and not self._is_stuck(now):
                return "pass"
            if self._is_asking or now < self._ask_at:
                return "refuse" if self.is_open else "pass"
            self._is_asking = True
            return "ask"

    def conclude(self, *, is_answered: bool) -> None:
        """Take what became of the question: an answer closes the breaker, anything else opens it or keeps it open."""
        with self._lock:
            self._is_asking, self._ask_at = False, self._clock() + PAUSE_SECONDS
            if self._is_doubted:
                self._is_doubted = False
                self._count_anew()
            self._turn(is_open=not is_answered)

    def begin(self) -> int:
        """Note a call that is under way, and return the number to end it with."""
        number = next(self._numbers)
        self._waiting[number] = self._clock()
        return number

    def end(self, number: int, outcome: Outcome) -> None:
        """Take what became of a call; ``unknown`` is one that ended for a reason of its caller's."""
        began_at, now = self._waiting.pop(number), self._clock()
        # A call from before the last change tells of another time.
        if outcome == "unknown" or self.is_open or began_at < self._changed_at:
            return
        if now - self._window_began_at >= WINDOW_SECONDS:
            self._window_began_at, self._calls, self._failures = now, 0, 0
        # Without the lock: a count that two threads raise at once may lose one, which changes no decision by much.
        self._calls += 1
        if outcome == "answered":
            self._failures_in_a_row = 0
            return
        with self._lock:
            self._failures_in_a_row += 1
            self._failures += 1
            if self._failures_in_a_row < FAILURES_IN_A_ROW and not self._is_window_bad():
                return
            if outcome == "late":
                self._is_doubted = True
            else:
                self._ask_at = now + PAUSE_SECONDS
                self._turn(is_open=True)

    def _is_stuck(self, now: float) -> bool:
        return sum(now - began_at >= LONG_WAIT_SECONDS for began_at in list(self._waiting.values())) >= self._crowd

    def _is_window_bad(self) -> bool:
        return self._calls >= WINDOW_CALLS and self._failures >= WINDOW_SHARE * self._calls

    def _turn(self, *, is_open: bool) -> None:
        if is_open == self.is_open:
            return
        self._count_anew()
        self._is_doubted = False
        self._changed_at, self.is_open = self._clock(), is_open
        self._on_change(is_open)

    def _count_anew(self) -> None:
        self._failures_in_a_row = 0
        self._window_began_at, self._calls, self._failures = self._clock(), 0, 0
