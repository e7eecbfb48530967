"""Ends a process whose event loop hangs, so that whoever keeps it starts it anew. Source: bus contract, section 14.

A hung loop cannot say that it hangs: it holds its leases no longer, but answers nothing and works nothing either. A thread
pings it; without an answer for five seconds the stacks of all threads go to standard error and the process exits with 70.
"""

import asyncio
import faulthandler
import logging
import os
import sys
import threading
import time
import traceback

logger = logging.getLogger(__name__)

LIMIT_S = 5.0
PACE_S = 0.5
LATE_S = 1.0
"""A round that is later than this did not run: the process was stopped, or the machine was too busy to run it at all."""
LAST_WORD_S = 2.0
EXIT_CODE = 70


class Watchdog:
    """Pings one event loop from a thread of its own, from ``start`` to ``stop``; both are called on that loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._loop_thread = threading.get_ident()
        self._answered_s = time.monotonic()
        self._is_asked = False
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)

    def start(self) -> None:
        """Begin to ping."""
        self._thread.start()

    def stop(self) -> None:
        """End it; nothing is watched any more."""
        self._over.set()
        self._thread.join()

    @property
    def age_s(self) -> float:
        """Seconds since the loop last answered."""
        return time.monotonic() - self._answered_s

    @property
    def is_answered(self) -> bool:
        """Whether the loop has answered in time."""
        return self.age_s < LIMIT_S

    def _answer(self) -> None:
        self._answered_s = time.monotonic()
        self._is_asked = False

    def _watch(self) -> None:
        round_s = time.monotonic()
        while not self._over.wait(PACE_S):
            late_s = time.monotonic() - round_s - PACE_S
            round_s = time.monotonic()
            if late_s > LATE_S:
                self._answered_s = round_s  # nobody could answer while nothing ran
            if not self._is_asked:
                self._is_asked = True
                self._loop.call_soon_threadsafe(self._answer)
            if not self.is_answered:
                self._end()

    def _end(self) -> None:
        """Say where it hangs and exit; a standard error that nobody reads must not keep the process."""
        telling = threading.Thread(target=self._tell, daemon=True)
        telling.start()
        telling.join(LAST_WORD_S)
        os._exit(EXIT_CODE)

    def _tell(self) -> None:
        if sys.stderr is not None:
            faulthandler.dump_traceback(sys.stderr, all_threads=True)
        frame = sys._current_frames().get(self._loop_thread)  # noqa: SLF001 - there is no other way to another thread's stack
        stack = "".join(traceback.format_stack(frame)) if frame is not None else ""
        logger.critical(
            "the event loop hangs, the process ends",
            extra={"seconds": round(self.age_s, 1), "stack": stack},
        )
