"""The requests of a ``cyclr`` that started this process, heard where a loop of the user's is ready for them."""

from __future__ import annotations

import json
import os
import sys
from typing import Any, BinaryIO, Callable, Optional

from cyclr._cyclr import Hyper
from cyclr._serve import _Child, _metric, _needed, _Refusal, _Watchdog, connect, read_file, write_answer, write_file
from cyclr._trainer import Metric, Run, Trainer

Share = Callable[[Optional[bytes]], bytes]
"""Hands what the first process has heard or read to all processes that train together."""


class Requests:
    """One run's requests, in their order. All but ``updates`` are answered as they come.

    Of several processes that train together, the first hears, answers, and reads and writes
    states; ``share`` hands each line on, and all of them do what it says.
    """

    def __init__(self, pipes: Optional[tuple[BinaryIO, BinaryIO]], share: Optional[Share] = None) -> None:
        self._pipes, self._share = pipes, share
        self._watchdog = _Watchdog(pipes[0].fileno()) if pipes else None
        self._child: Optional[_Child] = None
        self._line: Optional[bytes] = self._hear()
        self._asked: Any = None
        self.defers_sigterm = False
        """Whether SIGTERM is to wait until the run is saved, if it can be; to be said before `answer_by`."""
        params = json.loads(self._line)["params"]
        self.run = Run(_needed(params, "seed"), _needed(params, "data_seed"), _needed(params, "batch"))
        self.updates: Optional[int] = params.get("updates")
        """The updates that the run will make, if cyclr says so."""

    def answer_by(self, trainer: Trainer) -> None:
        """Says who does what is asked."""
        self._child = _Child(lambda _run: trainer, self.defers_sigterm, self._read_state, self._write_state)

    def until_updates(self) -> Optional[list[Hyper]]:
        """Answers what comes until updates are asked for; ``None`` after ``shutdown``."""
        while True:
            line = self._line if self._line is not None else self._hear()
            self._line = None
            hypers = self._updates_of(line)
            if hypers is not None:
                return hypers
            assert self._child is not None, "answer_by comes first"
            if self._child.answer(line, self._send):
                if self._watchdog:
                    self._watchdog.done = True
                return None

    def answer_updates(self, made: list[list[Metric]]) -> None:
        """The answer to the last ``updates``."""
        metrics = [[_metric(metric) for metric in metrics] for metrics in made]
        self._send({"jsonrpc": "2.0", "id": self._asked, "result": {"metrics": metrics}})

    def _updates_of(self, line: bytes) -> Optional[list[Hyper]]:
        """What each update uses, if that is what the line asks for and it can be done."""
        try:
            request = json.loads(line)
            if request["method"] != "updates" or self._child is None or not self._child.has_begun:
                return None
            asked = request["params"]["updates"]
            hypers = [Hyper(_needed(one, "lr"), one.get("momentum"), one.get("weight_decay")) for one in asked]
        except (ValueError, KeyError, TypeError, _Refusal):
            # The usual way answers what cannot be understood, with the reason.
            return None
        self._asked = request.get("id")
        # None at all are answered in the usual way too.
        return hypers or None

    def _hear(self) -> bytes:
        line = self._pipes[0].readline() if self._pipes else None
        if self._share is not None:
            line = self._share(line)
        if not line:
            # cyclr is gone.
            os._exit(1)
        if self._pipes is None and self._child is not None and self._child.has_failed:
            print(
                "cyclr: this process failed, and the first one did not: they no longer train one model", file=sys.stderr
            )
            sys.stderr.flush()
            os._exit(1)
        return line

    def _read_state(self, path: str) -> bytes:
        """The others may be on another machine, and cyclr removes the file as soon as the first has answered."""
        if self._share is None:
            return read_file(path)
        state = b""
        try:
            state = read_file(path) if self._pipes else b""
        finally:
            state = self._share(state)
        if not state:
            raise OSError(f"the first process cannot read {path}, or nothing is in it")
        return state

    def _write_state(self, path: str, state: bytes) -> None:
        if self._pipes:
            write_file(path, state)

    def _send(self, answer: dict[str, Any]) -> None:
        if self._pipes:
            write_answer(self._pipes[1], answer)


def is_driven() -> bool:
    """Whether a cyclr that wants to be answered started this process."""
    return "CYCLR_FD" in os.environ


def open_pipes() -> tuple[BinaryIO, BinaryIO]:
    """The pipes of the cyclr that started this process."""
    requests, answers = connect()
    return os.fdopen(requests, "rb"), os.fdopen(answers, "wb")
