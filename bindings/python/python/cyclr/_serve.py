"""A training script as a child of ``cyclr find|train|compare ... -- COMMAND``: JSON-RPC 2.0 over two descriptors."""

from __future__ import annotations

import json
import math
import os
import select
import socket
import sys
import threading
import traceback
from dataclasses import asdict
from operator import index
from typing import Any, BinaryIO, Callable, Optional, Union, cast

from cyclr._cyclr import Hyper, Spec
from cyclr._find import Outcome, train
from cyclr._sigterm import Deferred
from cyclr._trainer import AveragingTrainer, Build, Evaluation, Metric, Run, Split, Trainer, TrainerInfo

PROTOCOL = 1


def serve(
    build: Build,
    *,
    policy: Optional[Union[Spec, str]] = None,
    updates: Optional[int] = None,
    epochs: Optional[float] = None,
    seed: int = 0,
    defer_sigterm: bool = False,
) -> Optional[Outcome]:
    """Does what the ``cyclr`` that started this script asks for; alone, trains under ``policy``.

    Started by ``cyclr``, it returns ``None`` after the last request, and the script should then end. The process ends
    at once when ``cyclr`` is gone.

    Args:
        build: Makes the run; it is handed a `Run` with the seed, the data seed and the batch size.
        policy: What the rate does where the script runs alone.
        updates: How long it then trains.
        epochs: The same in passes over the data.
        seed: That of the run then.
        defer_sigterm: Whether SIGTERM waits, in this process alone, until cyclr has saved the
            run. A cluster sends it to every process of a job that it stops, and the script would
            else end before cyclr can ask for its state.

    Raises:
        ValueError: The script runs alone, and ``policy`` or its length is missing.
    """
    if "CYCLR_FD" not in os.environ:
        if policy is None:
            raise ValueError(
                "no cyclr has started this script: give policy=... with updates=... or epochs=... to train without it"
            )
        return train(build, policy, updates=updates, epochs=epochs, seed=seed)
    requests, answers = connect()
    with os.fdopen(requests, "rb") as source, os.fdopen(answers, "wb") as sink:
        watchdog = _Watchdog(requests)
        try:
            child = _Child(build, defer_sigterm)

            def send(answer: dict[str, Any]) -> None:
                write_answer(sink, answer)

            for line in source:
                if child.answer(line, send):
                    break
        finally:
            # A script that exits may say why.
            watchdog.done = True
    return None


def connect() -> tuple[int, int]:
    """The descriptors to read cyclr's requests from and to write the answers to (docs/protocol.md, "The pipes").

    They are the pipes that cyclr made, if they are still open here, and else the two sides of its socket. Nothing is
    written to a file that is not cyclr's. What this process starts later is no child of cyclr.

    Raises:
        RuntimeError: A launcher closed the pipes, and there is no socket.
    """
    requests, answers = (int(fd) for fd in os.environ.pop("CYCLR_FD").split(","))
    pipes, path = os.environ.pop("CYCLR_PIPES", None), os.environ.pop("CYCLR_SOCKET", None)
    if pipes is None or pipes == f"{_identity(requests)},{_identity(answers)}":
        for fd in (requests, answers):
            os.set_inheritable(fd, False)
        return requests, answers
    if path is None:
        raise RuntimeError(
            f"the descriptors {requests} and {answers} are not cyclr's pipes: a launcher closed them, and there is no "
            "socket. Start the script without the launcher, or set TMPDIR to a shorter path"
        )
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        return os.dup(connection.fileno()), os.dup(connection.fileno())


def _identity(fd: int) -> Optional[str]:
    """`DEVICE:INODE` of a descriptor; `None` if it is not open."""
    try:
        status = os.fstat(fd)
    except OSError:
        return None
    return f"{status.st_dev}:{status.st_ino}"


def write_answer(sink: BinaryIO, answer: dict[str, Any]) -> None:
    """Writes an answer to cyclr."""
    sink.write(json.dumps(answer, allow_nan=False).encode() + b"\n")
    sink.flush()


def read_file(path: str) -> bytes:
    """What is in a file."""
    with open(path, "rb") as file:
        return file.read()


def write_file(path: str, content: bytes) -> None:
    """Writes a file."""
    with open(path, "wb") as file:
        file.write(content)


class _Watchdog:
    """Ends the process when the other end of the pipe is closed, also in the middle of an update."""

    def __init__(self, requests: int) -> None:
        self.done = False
        threading.Thread(target=self._watch, args=(requests,), daemon=True).start()

    def _watch(self, requests: int) -> None:
        if not hasattr(select, "poll"):
            return
        poll = select.poll()
        poll.register(requests, 0)
        while not self.done:
            if poll.poll(1000) and not self.done:
                os._exit(1)


class _Refusal(Exception):
    """An answer that is an error."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class _Child:
    """One run, driven by requests."""

    def __init__(
        self,
        build: Build,
        defers_sigterm: bool = False,
        read: Callable[[str], bytes] = read_file,
        write: Callable[[str, bytes], None] = write_file,
    ) -> None:
        self._build, self._defers_sigterm = build, defers_sigterm
        self._read, self._write = read, write
        self._trainer: Optional[Trainer] = None
        self._sigterm: Optional[Deferred] = None
        self.has_failed = False
        """Whether the last answer was an error."""

    @property
    def has_begun(self) -> bool:
        """Whether there is a run."""
        return self._trainer is not None

    def answer(self, line: bytes, send: Callable[[dict[str, Any]], None]) -> bool:
        """Answers a request; whether it was the last."""
        answer, method = self._answer(line)
        is_done = "result" in answer
        self.has_failed = not is_done
        if self._sigterm and not is_done:
            self._sigterm.end_if_due()
        send(answer)
        if self._sigterm and is_done and method == "state":
            self._sigterm.end_if_due()
        elif self._defers_sigterm and is_done and method == "initialize" and answer["result"]["snapshots"]:
            self._sigterm = Deferred()
        return is_done and method == "shutdown"

    def _answer(self, line: bytes) -> tuple[dict[str, Any], Optional[str]]:
        """The answer, and the method that was asked for if that is known."""
        answer: dict[str, Any] = {"jsonrpc": "2.0", "id": None}
        method = None
        try:
            try:
                request = json.loads(line)
            except ValueError as error:
                raise _Refusal(-32700, f"this is not JSON: {error}") from None
            if not isinstance(request, dict):
                raise _Refusal(-32600, "a request is an object")
            answer["id"] = request.get("id")
            method = _needed(request, "method", -32600)
            answer["result"] = self._result(method, request.get("params") or {})
        except _Refusal as refusal:
            answer["error"] = {"code": refusal.code, "message": str(refusal)}
        except Exception as error:
            traceback.print_exc(file=sys.stderr)
            message = f"{type(error).__name__}: {error}"
            answer["error"] = {"code": -32000, "message": message}
        return answer, method

    def _result(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        methods: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "initialize": self._initialize,
            "updates": self._updates,
            "evaluate": self._evaluate,
            "average": self._average,
            "evaluate_average": self._evaluate_average,
            "state": self._state,
            "restore": self._restore,
            "shutdown": lambda _params: {},
        }
        if method not in methods:
            raise _Refusal(-32601, f"there is no method `{method}`")
        return methods[method](params)

    def _initialize(self, params: dict[str, Any]) -> dict[str, Any]:
        protocol = _needed(params, "protocol")
        if protocol != PROTOCOL:
            raise _Refusal(-32602, f"protocol {protocol} is asked for, and this package speaks {PROTOCOL}")
        if self._trainer is not None:
            raise _Refusal(-32600, "this process has its run already: start another process")
        run = Run(_needed(params, "seed"), _needed(params, "data_seed"), _needed(params, "batch"))
        self._trainer = self._build(run)
        return {"protocol": PROTOCOL, **_info(self._trainer.info)}

    def _updates(self, params: dict[str, Any]) -> dict[str, Any]:
        asked = _needed(params, "updates")
        hypers = [Hyper(_needed(one, "lr"), one.get("momentum"), one.get("weight_decay")) for one in asked]
        made = self._started().updates(hypers)
        return {"metrics": [[_metric(metric) for metric in metrics] for metrics in made]}

    def _evaluate(self, params: dict[str, Any]) -> dict[str, Any]:
        return _measured(self._started().evaluate(_split(params)))

    def _average(self, params: dict[str, Any]) -> dict[str, Any]:
        trainer, last = self._averaging(), params.get("ensemble")
        if last is None:
            trainer.average()
        elif trainer.info.ensembles:
            trainer.average(index(last))
        else:
            raise _Refusal(-32601, "this trainer makes no ensembles")
        return {}

    def _evaluate_average(self, params: dict[str, Any]) -> dict[str, Any]:
        return _measured(self._averaging().evaluate_average(_split(params)))

    def _state(self, params: dict[str, Any]) -> dict[str, Any]:
        path = _needed(params, "path")
        self._write(path, self._started().state())
        return {}

    def _restore(self, params: dict[str, Any]) -> dict[str, Any]:
        self._started().restore(self._read(_needed(params, "path")))
        return {}

    def _started(self) -> Trainer:
        if self._trainer is None:
            raise _Refusal(-32600, "the first request must be `initialize`")
        return self._trainer

    def _averaging(self) -> AveragingTrainer:
        trainer = self._started()
        if not (trainer.info.averages or trainer.info.ensembles):
            raise _Refusal(-32601, "this trainer does not average its weights")
        return cast(AveragingTrainer, trainer)


def _needed(params: dict[str, Any], name: str, code: int = -32602) -> Any:
    if name not in params:
        raise _Refusal(code, f"`{name}` is missing")
    return params[name]


def _split(params: dict[str, Any]) -> Split:
    split = _needed(params, "split")
    if split not in ("validation", "test"):
        raise _Refusal(-32602, f"split is `{split}`: it must be `validation` or `test`")
    return split  # type: ignore[no-any-return]


def _measured(measured: Evaluation) -> dict[str, Any]:
    result: dict[str, Any] = {"metrics": [_metric(metric) for metric in measured.metrics]}
    if measured.correct is not None:
        result["correct"] = "".join("1" if right else "0" for right in measured.correct)
    return result


def _info(info: TrainerInfo) -> dict[str, Any]:
    """The info in Python's own types, for they may be NumPy's."""
    counts = {name: index(getattr(info, name)) for name in ("examples", "batch", "validation", "test")}
    abilities = ("momentum", "weight_decay", "snapshots", "given_weights", "averages", "ensembles")
    answer: dict[str, Any] = {**counts, **{name: bool(getattr(info, name)) for name in abilities}}
    if info.objective is not None:
        answer["objective"] = asdict(info.objective)
    if info.data_checksum is not None:
        answer["data_checksum"] = info.data_checksum
    return answer


def _metric(metric: Metric) -> dict[str, Any]:
    value: Union[float, str] = float(metric.value)
    if not math.isfinite(metric.value):
        value = "NaN" if math.isnan(metric.value) else "Infinity" if metric.value > 0 else "-Infinity"
    told: dict[str, Any] = {
        "name": metric.name,
        "value": value,
        "count": index(metric.count),
        "direction": metric.direction,
    }
    if metric.correct is not None:
        told["correct"] = index(metric.correct)
    return told
