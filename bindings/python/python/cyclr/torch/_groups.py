"""The parameter groups of one or several optimizers, set from a schedule."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch.optim import Optimizer

import cyclr
from cyclr._cyclr import Hyper


class Groups:
    """Groups that keep their factors: their rates and weight decays relative to those of the very first."""

    def __init__(self, optimizers: Sequence[Optimizer]) -> None:
        self.groups = [group for optimizer in optimizers for group in optimizer.param_groups]
        self.factors = factors(self.groups)
        decays = [float(group.get("weight_decay", 0.0)) for group in self.groups]
        self.decay_factors = [decay / decays[0] if decays[0] else 1.0 for decay in decays]

    @property
    def have_momentum(self) -> bool:
        """Whether momentum can be set."""
        return all("momentum" in group or "betas" in group for group in self.groups)

    @property
    def have_weight_decay(self) -> bool:
        """Whether weight decay can be set."""
        return all("weight_decay" in group for group in self.groups)

    def set(self, hyper: Hyper) -> None:
        """Sets what an update uses."""
        for group, factor, decay_factor in zip(self.groups, self.factors, self.decay_factors):
            if isinstance(group["lr"], torch.Tensor):
                group["lr"].fill_(hyper.lr * factor)
            else:
                group["lr"] = hyper.lr * factor
            if hyper.momentum is not None:
                set_momentum(group, hyper.momentum)
            if hyper.weight_decay is not None:
                group["weight_decay"] = hyper.weight_decay * decay_factor

    def check(self, schedule: cyclr.Schedule) -> None:
        """Refuses a schedule that moves what the groups do not have."""
        if schedule.at(0).momentum is not None and not self.have_momentum:
            raise cyclr.CyclrError("the spec moves momentum, and this optimizer has none: leave it out of the spec")


def factors(groups: Sequence[dict[str, Any]]) -> list[float]:
    """The groups' rates relative to the first one's.

    Raises:
        CyclrError: They differ, and the first is 0.
    """
    rates = [float(group.get("initial_lr", group["lr"])) for group in groups]
    if all(rate == rates[0] for rate in rates):
        return [1.0] * len(rates)
    if rates[0] == 0:
        raise cyclr.CyclrError(
            f"the groups' rates {rates} are factors relative to the first, which is 0: give it a rate above 0, "
            "or one spec for each group"
        )
    return [rate / rates[0] for rate in rates]


def set_momentum(group: dict[str, Any], momentum: float) -> None:
    """Sets momentum, or beta1 of the Adam family."""
    if "betas" in group:
        group["betas"] = (momentum, *group["betas"][1:])
    else:
        group["momentum"] = momentum
