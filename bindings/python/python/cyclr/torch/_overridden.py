"""What a script does to the rate of its optimizer though cyclr sets it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any, Optional

import torch
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from cyclr._cyclr import Hyper
from cyclr.torch._distributed import rank
from cyclr.torch._state import live


class Overridden:
    """Says once on stderr that the script sets the rate of an optimizer too, and once if the ratios of its groups differ.

    Args:
        optimizer: The optimizer.
        who: Who says so.
    """

    def __init__(self, optimizer: Optimizer, who: str = "cyclr") -> None:
        self._optimizer, self._who = optimizer, who
        self._left: Optional[list[float]] = None
        # What the script set last; None if that is not known.
        self._wanted: Optional[list[float]] = None
        self._is_new = True
        self._told: set[str] = set()

    def notice(self, hyper: Hyper) -> None:
        """Looks at the rates before ``hyper`` is set."""
        rates = self._rates()
        if self._is_new or (self._left is not None and rates != self._left):
            self._wanted, self._is_new = rates, False
        if self._left is None or rates is None or rates == self._left or len(rates) != len(self._left):
            return
        if "rate" not in self._told:
            self._say("rate", self._overrides(hyper))
        ratio = None if "ratio" in self._told else _other_ratio(rates, self._left)
        if ratio is not None:
            self._say("ratio", ratio)

    def leave(self) -> None:
        """Notes the rates that were set."""
        self._left = self._rates()

    def forget(self) -> None:
        """The optimizer was put back to another time."""
        self._left = self._wanted = None
        self._is_new = False

    def notice_ratio(self, first: Overridden) -> None:
        """Compares its rate with that of another optimizer; both have been noticed."""
        if "optimizers" in self._told or not (self._left and self._wanted and first._left and first._wanted):
            return
        rates, left = [first._wanted[0], self._wanted[0]], [first._left[0], self._left[0]]
        other = _other_ratios(rates, left)
        if other is not None:
            name = type(self._optimizer).__name__
            self._say("optimizers", f"the script gives another optimizer ({name}) {_keeps(other, 'the first')}")

    def _overrides(self, hyper: Hyper) -> str:
        scheduler = _scheduler_of(self._optimizer)
        who = "the script" if scheduler is None else f"the script's {type(scheduler).__name__}"
        told = f"{who} sets the rate too: it is overridden at every update"
        if hyper.momentum is None and getattr(scheduler, "cycle_momentum", False):
            told += "; the momentum that it sets is not: it changes as the script says (cycle_momentum=False keeps it as it is)"
        return told

    def _rates(self) -> Optional[list[float]]:
        rates = [group["lr"] for group in self._optimizer.param_groups]
        # One on a device is not waited for.
        if any(isinstance(rate, torch.Tensor) and rate.device.type != "cpu" for rate in rates):
            return None
        return [float(rate) for rate in rates]

    def _say(self, what: str, told: str) -> None:
        self._told.add(what)
        if rank() == 0:
            print(f"{self._who}: {told}", file=sys.stderr, flush=True)


def _other_ratio(rates: list[float], left: list[float]) -> Optional[str]:
    """The first group whose rate, relative to the first one's, is another in the script than here; ``None`` if none is."""
    other = _other_ratios(rates, left)
    return None if other is None else f"the script gives group {other[0]} of {len(rates)} {_keeps(other, 'group 0')}"


def notice_ratios(optimizers: Sequence[Overridden]) -> None:
    """Says once if the script changes the ratio of the rates of optimizers; all have been noticed."""
    for one in optimizers[1:]:
        one.notice_ratio(optimizers[0])


def _keeps(other: tuple[int, float, float], first: str) -> str:
    _, wanted, ratio = other
    return f"{wanted:.3g} times the rate of {first}: it keeps {ratio:.3g} times, as it had before the first update"


def _other_ratios(rates: list[float], left: list[float]) -> Optional[tuple[int, float, float]]:
    """The first place with another ratio to the first rate in the script than here, and both ratios."""
    if min(rates[0], left[0]) <= 0:
        return None
    for place, (rate, ours) in enumerate(zip(rates, left)):
        wanted, ratio = rate / rates[0], ours / left[0]
        if abs(wanted - ratio) > MOST_DIFFERENCE * max(wanted, ratio):
            return place, wanted, ratio
    return None


MOST_DIFFERENCE = 0.1
"""Schedules that end above 0 change ratios, too, by less than this for most of a run."""


def _scheduler_of(optimizer: Optimizer) -> Any:
    """A scheduler of the script's that sets the rate of an optimizer."""
    return next((one for one in live((LRScheduler,)) if getattr(one, "optimizer", None) is optimizer), None)
