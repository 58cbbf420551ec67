"""Several processes that train together, and the requests that the first of them hears."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any, BinaryIO, Optional

import torch
import torch.distributed as dist

from cyclr._cyclr import CyclrError
from cyclr._requests import Share, open_pipes
from cyclr._trainer import Metric
from cyclr.torch._distributed import rank, world_size

_group: list[Any] = []


def open_here() -> Optional[tuple[BinaryIO, BinaryIO]]:
    """The pipes of cyclr, in the first process; the others have none."""
    if world_size() == 1 and int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise CyclrError(
            f"begin() comes before the {os.environ['WORLD_SIZE']} processes know of each other: call "
            "torch.distributed.init_process_group first"
        )
    if rank() == 0:
        return open_pipes()
    del os.environ["CYCLR_FD"]
    return None


def share_over() -> Optional[Share]:
    """Hands lines to all processes, on a group of their own that the CPU serves; ``None`` if there is one process."""
    if world_size() == 1:
        return None
    # Between two requests there may be any time.
    _group[:] = [dist.new_group(backend="gloo", timeout=timedelta(days=365))]

    def share(line: Optional[bytes]) -> bytes:
        lines = [line]
        dist.broadcast_object_list(lines, src=0, group=_group[0])
        return lines[0] or b""

    return share


def summed(figures: list[list[Metric]]) -> list[list[Metric]]:
    """The metrics of updates over all processes, the same bits in each."""
    if world_size() == 1 or not _group:
        return figures
    rows = [[m.value * m.count, m.count, m.correct or 0] for metrics in figures for m in metrics]
    sums = torch.tensor(rows, dtype=torch.float64)
    dist.all_reduce(sums, group=_group[0])
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
    dist.all_gather_object(states, state, group=_group[0])
    return states


def mine(states: Any) -> Any:
    """This process's own among the states of all."""
    if len(states) != world_size():
        raise ValueError(f"the state is of {len(states)} processes, and {world_size()} train here")
    return states[rank()]
