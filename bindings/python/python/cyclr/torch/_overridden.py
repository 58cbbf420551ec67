"""What a script does to the rate of its optimizer though cyclr sets it."""

from __future__ import annotations

import gc
import sys
from typing import Any, Optional

import torch
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from cyclr._cyclr import Hyper
from cyclr.torch._distributed import rank


class Overridden:
    """Says once on stderr that the script sets the rate of an optimizer, too.

    Args:
        optimizer: The optimizer.
        who: Who says so.
    """

    def __init__(self, optimizer: Optimizer, who: str = "cyclr") -> None:
        self._optimizer, self._who = optimizer, who
        self._set: Optional[float] = None
        self._is_told = False

    def notice(self, hyper: Hyper) -> None:
        """Looks at the rate before ``hyper`` is set."""
        if self._is_told or self._set is None or self._rate() == self._set:
            return
        self._is_told = True
        if rank() == 0:
            print(f"{self._who}: {self._what(hyper)}", file=sys.stderr, flush=True)

    def leave(self) -> None:
        """Notes the rate that was set."""
        self._set = self._rate()

    def forget(self) -> None:
        """The optimizer was put back to another time."""
        self._set = None

    def _what(self, hyper: Hyper) -> str:
        scheduler = _scheduler_of(self._optimizer)
        who = "the script" if scheduler is None else f"the script's {type(scheduler).__name__}"
        told = f"{who} sets the rate too: it is overridden at every update"
        if hyper.momentum is None and getattr(scheduler, "cycle_momentum", False):
            told += "; the momentum that it sets is not: it changes as the script says (cycle_momentum=False keeps it as it is)"
        return told

    def _rate(self) -> Optional[float]:
        rate = self._optimizer.param_groups[0]["lr"]
        # One on a device is not waited for.
        return None if isinstance(rate, torch.Tensor) and rate.device.type != "cpu" else float(rate)


def _scheduler_of(optimizer: Optimizer) -> Any:
    """A scheduler of the script's that sets the rate of an optimizer."""
    for thing in gc.get_objects():
        if issubclass(type(thing), LRScheduler) and getattr(thing, "optimizer", None) is optimizer:
            return thing
    return None
