"""SIGTERM that waits until a run is saved."""

from __future__ import annotations

import os
import signal
import sys
import threading
from types import FrameType, TracebackType
from typing import Optional

from cyclr._cyclr import CyclrError


class Deferred:
    """Takes SIGTERM in this process, and lets it have its effect when the state is saved.

    A process that is forked from this one has the handler that was there before, and what is
    started anew has none: data loaders' workers end as they always do. While a process is forked
    the signal is blocked, as Python forgets one that a new process gets before its handler is back.
    """

    def __init__(self) -> None:
        if threading.current_thread() is not threading.main_thread():
            raise CyclrError("defer_sigterm=True: only the main thread can take signals; train there")
        self._is_waiting = False
        self._show = sys.excepthook
        # None stands for a handler that is not Python's.
        self._before = signal.signal(signal.SIGTERM, self._take) or signal.SIG_DFL
        # Any thread may fork.
        self._forks = threading.local()
        os.register_at_fork(before=self._block, after_in_parent=self._unblock, after_in_child=self._begin_child)

    def end_if_due(self) -> None:
        """A signal that came has its effect: the state is saved, or cannot be."""
        if self._is_waiting:
            self._put_back()
            os.kill(os.getpid(), signal.SIGTERM)

    def _take(self, number: int, frame: Optional[FrameType]) -> None:
        if self._is_waiting:
            return
        self._is_waiting = True
        # The workers got it, too. A data loader that raises for that would stop the update.
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._show, sys.excepthook = sys.excepthook, self._fail

    def _fail(self, kind: type[BaseException], error: BaseException, trace: Optional[TracebackType]) -> None:
        """What goes wrong from now on is no fault of the script's, such as a loader without workers."""
        self._show(kind, error, trace)
        sys.stderr.flush()
        self.end_if_due()

    def _block(self) -> None:
        self._forks.blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})

    def _unblock(self) -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, self._forks.blocked)

    def _begin_child(self) -> None:
        self._put_back()
        self._unblock()

    def _put_back(self) -> None:
        # Where another was put in its place meanwhile, that one stays.
        if signal.getsignal(signal.SIGTERM) == self._take:
            signal.signal(signal.SIGTERM, self._before)
