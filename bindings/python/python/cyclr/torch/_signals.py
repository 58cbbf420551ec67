"""Signals that wait while something is put back."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any, Optional


class Deferred:
    """Lets the first interrupt through, and holds back those that follow until the end.

    Handlers of Python's that raise, as that of Ctrl-C does, would else stop what an interrupt
    starts: the clean-up. So from the first that raises, and from `defer` at the latest, signals
    wait until `end`, where they are handled. Signals reach the main thread only; elsewhere this
    does nothing.
    """

    def __init__(self) -> None:
        self._handlers: dict[int, Any] = {}
        self._waiting: list[int] = []
        self._is_deferring, self._is_over = False, False

    def begin(self) -> None:
        """Takes the place of the handlers that there are."""
        if threading.current_thread() is not threading.main_thread():
            return
        for number in signal.valid_signals():
            handler = signal.getsignal(number)
            if callable(handler):
                self._handlers[number] = handler
                signal.signal(number, self._handle)

    def defer(self) -> None:
        """Lets signals wait from here on."""
        self._is_deferring = True

    def end(self) -> None:
        """Puts the handlers back and handles the signals that waited."""
        self._is_over = True
        for number, handler in self._handlers.items():
            # Where another was put in its place meanwhile, that one stays, and may go on calling this one.
            if signal.getsignal(number) == self._handle:
                signal.signal(number, handler)
        waiting, self._waiting = self._waiting, []
        for number in dict.fromkeys(waiting):
            self._handlers[number](number, None)

    def _handle(self, number: int, frame: Optional[FrameType]) -> None:
        if self._is_deferring and not self._is_over:
            self._waiting.append(number)
            return
        try:
            self._handlers[number](number, frame)
        except BaseException:
            self._is_deferring = True
            raise
