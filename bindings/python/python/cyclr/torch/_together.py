"""Several processes that train together, and the requests that the first of them hears."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, BinaryIO, Optional

import torch
import torch.distributed as dist

from cyclr._cyclr import CyclrError, Hyper
from cyclr._requests import Requests, Share, open_pipes
from cyclr._trainer import Build, Evaluation, Metric, Split, Trainer, TrainerInfo
from cyclr.torch._distributed import rank, world_size

_ANY_TIME = timedelta(days=365)
"""Between two requests there may be any time."""
_TO_CONNECT = timedelta(minutes=5)
"""A launcher that is not reached by then is gone."""

_group: list[Any] = []


def open_here() -> Optional[tuple[BinaryIO, BinaryIO]]:
    """The pipes of cyclr, in the first process; the others have none."""
    first = rank() if world_size() > 1 else int(os.environ.get("RANK", "0"))
    if first == 0:
        return open_pipes()
    for name in ("CYCLR_FD", "CYCLR_PIPES", "CYCLR_SOCKET"):
        os.environ.pop(name, None)
    return None


def share_over() -> Optional[Share]:
    """Hands bytes to all processes, by the CPU: over a group of their own, or, before there are groups, torchrun's store.

    Raises:
        CyclrError: There are several processes, and neither is there.
    """
    if world_size() > 1:
        return _over_group
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1:
        return None
    if os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True":
        raise CyclrError(
            f"begin() comes before the {count} processes know of each other: call torch.distributed.init_process_group "
            "first"
        )
    return _over_store()


def serve_together(build: Build, defer_sigterm: bool) -> None:
    """Does what cyclr asks for, in all processes; the first of them answers."""
    requests = Requests(open_here(), share_over())
    requests.defers_sigterm = defer_sigterm
    trainer = _Together(build(requests.run))
    requests.answer_by(trainer)
    while (hypers := requests.until_updates()) is not None:
        requests.answer_updates([list(metrics) for metrics in trainer.updates(hypers)])


class _Together:
    """A run that is in all processes, and its state."""

    def __init__(self, trainer: Trainer) -> None:
        self._trainer = trainer

    @property
    def info(self) -> TrainerInfo:
        return self._trainer.info

    def updates(self, hypers: Sequence[Hyper]) -> Sequence[Sequence[Metric]]:
        return self._trainer.updates(hypers)

    def evaluate(self, split: Split) -> Evaluation:
        return self._trainer.evaluate(split)

    def state(self) -> bytes:
        file = io.BytesIO()
        torch.save(gathered(self._trainer.state()), file)
        return file.getvalue()

    def restore(self, state: bytes) -> None:
        self._trainer.restore(mine(torch.load(io.BytesIO(state), weights_only=True)))


def summed(figures: list[list[Metric]]) -> list[list[Metric]]:
    """The metrics of updates over all processes, the same bits in each."""
    if world_size() == 1:
        return figures
    rows = [[m.value * m.count, m.count, m.correct or 0] for metrics in figures for m in metrics]
    sums = torch.tensor(rows, dtype=torch.float64)
    dist.all_reduce(sums, group=_gloo())
    totals = iter(sums.tolist())
    whole = []
    for metrics in figures:
        row = []
        for metric, (total, count, correct) in zip(metrics, totals):
            right = None if metric.correct is None else int(correct)
            row.append(Metric(metric.name, total / count, int(count), metric.direction, right))
        whole.append(row)
    return whole


def gathered(state: Any) -> Any:
    """The states of all processes, in the order of their ranks."""
    if world_size() == 1:
        return [state]
    states = [None] * world_size()
    dist.all_gather_object(states, state, group=_gloo())
    return states


def mine(states: Any) -> Any:
    """Its own among the states of all processes."""
    if len(states) != world_size():
        raise ValueError(f"the state is of {len(states)} processes, and {world_size()} train here")
    return states[rank()]


def _gloo() -> Any:
    if not _group:
        _group.append(dist.new_group(backend="gloo", timeout=_ANY_TIME))
    return _group[0]


def _over_group(line: Optional[bytes]) -> bytes:
    lines = [line]
    dist.broadcast_object_list(lines, src=0, group=_gloo())
    return lines[0] or b""


def _over_store() -> Share:
    host, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    whole = dist.TCPStore(host, port, is_master=False, timeout=_TO_CONNECT)  # type: ignore[attr-defined]
    whole.set_timeout(_ANY_TIME)
    store = dist.PrefixStore("cyclr", whole)  # type: ignore[attr-defined]
    is_first, sent = os.environ["RANK"] == "0", 0

    def share(line: Optional[bytes]) -> bytes:
        nonlocal sent
        if world_size() > 1:
            # States are large, and the store would keep them.
            return _over_group(line)
        sent += 1
        if is_first:
            store.set(str(sent), line or b"")  # type: ignore[arg-type]  # bytes are taken, whatever the stub says
            # The updates between keep the processes together: nobody waits for such an old one.
            store.delete_key(str(sent - 100))
            return line or b""
        return bytes(store.get(str(sent)))

    return share
