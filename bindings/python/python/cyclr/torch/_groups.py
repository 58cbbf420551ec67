"""The parameter groups of one or several optimizers, set from a schedule."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import torch
from torch.optim import Optimizer

import cyclr
from cyclr._cyclr import Hyper

Place = tuple[int, int]
"""Which optimizer, and which of its groups."""


class Groups:
    """Groups that keep their factors: their rates and weight decays relative to those of the very first.

    (Weight decays to the first that is above 0, so that groups without any stay so.)
    They are looked up at each update, so that groups which come later, or are made anew as
    ``load_state_dict`` does, are set as well.

    Attributes:
        optimizers: Those whose groups are set.
        factors: The factor of each group's rate, by its place.
    """

    def __init__(self, optimizers: Sequence[Optimizer]) -> None:
        self.optimizers = optimizers
        placed = dict(self._placed())
        self.factors = dict(zip(placed, factors(list(placed.values()))))
        decays = {place: float(group.get("weight_decay", 0.0)) for place, group in placed.items()}
        # Often the first group is the one without any.
        self._first_decay = first_above_zero(decays.values())
        self._decay_factors = {place: self._decay_factor(decay) for place, decay in decays.items()}

    def learn(self) -> None:
        """Takes the factors of the rates as they are now, right before the first update.

        Raises:
            CyclrError: They differ, and the first is 0.
        """
        placed = dict(self._placed())
        self.factors = dict(zip(placed, ratios(rates_now(list(placed.values())))))

    @property
    def have_momentum(self) -> bool:
        """Whether momentum can be set."""
        return all("momentum" in group or "betas" in group for _, group in self._placed())

    @property
    def have_weight_decay(self) -> bool:
        """Whether weight decay can be set."""
        return all("weight_decay" in group for _, group in self._placed())

    def set(self, hyper: Hyper) -> None:
        """Sets what an update uses."""
        placed = dict(self._placed())
        # All before the first is set, to whose rate they are compared.
        for place, group in placed.items():
            if place not in self.factors:
                self._meet(place, group)
        for place, group in placed.items():
            rate = hyper.lr * self.factors[place]
            if isinstance(group["lr"], torch.Tensor):
                group["lr"].fill_(rate)
            else:
                group["lr"] = rate
            if hyper.momentum is not None:
                set_momentum(group, hyper.momentum)
            if hyper.weight_decay is not None:
                group["weight_decay"] = hyper.weight_decay * self._decay_factors[place]

    def check(self, schedule: cyclr.Schedule) -> None:
        """Refuses a schedule that moves what the groups do not have."""
        if schedule.at(0).momentum is not None and not self.have_momentum:
            raise cyclr.CyclrError("the spec moves momentum, and this optimizer has none: leave it out of the spec")

    def _placed(self) -> Iterator[tuple[Place, dict[str, Any]]]:
        for which, optimizer in enumerate(self.optimizers):
            for index, group in enumerate(optimizer.param_groups):
                yield (which, index), group

    def _meet(self, place: Place, group: dict[str, Any]) -> None:
        optimizer = self.optimizers[place[0]]
        self.factors[place] = late_factor(optimizer, group, self.optimizers[0].param_groups[0])
        self._decay_factors[place] = self._decay_factor(float(group.get("weight_decay", 0.0)))

    def _decay_factor(self, decay: float) -> float:
        return decay / self._first_decay if self._first_decay else 1.0


def first_above_zero(decays: Iterable[float]) -> float:
    """The weight decay that those of all groups are relative to; 0 if none has any."""
    return next((decay for decay in decays if decay > 0), 0.0)


def factors(groups: Sequence[dict[str, Any]]) -> list[float]:
    """The groups' rates, as they were before any scheduler changed them, relative to the first one's.

    Raises:
        CyclrError: They differ, and the first is 0.
    """
    return ratios([_first_rate(group) for group in groups])


def rates_now(groups: Sequence[dict[str, Any]]) -> list[float]:
    """The groups' rates; those before any scheduler changed them if one is 0, as at the start of a warm-up."""
    rates = [float(group["lr"]) for group in groups]
    return rates if all(rate > 0 for rate in rates) else [_first_rate(group) for group in groups]


def ratios(rates: Sequence[float]) -> list[float]:
    """Rates relative to the first.

    Raises:
        CyclrError: They differ, and the first is 0.
    """
    if all(rate == rates[0] for rate in rates):
        return [1.0] * len(rates)
    if rates[0] == 0:
        raise cyclr.CyclrError(
            f"the groups' rates {rates} are factors relative to the first, which is 0: give it a rate above 0, "
            "or one spec for each group"
        )
    return [rate / rates[0] for rate in rates]


def late_factor(optimizer: Optimizer, group: dict[str, Any], first: dict[str, Any]) -> float:
    """The factor, relative to the first group, of a group that was added in mid-training; with a warning that says it.

    A rate that was given is compared with the first group's rate of that moment. The optimizer's
    own, which a group has that was given none, is compared with the first group's at the
    beginning; so is any rate while the first group's is 0.
    """
    rate, now, start = float(group["lr"]), float(first["lr"]), _first_rate(first)
    is_default = rate == float(optimizer.defaults.get("lr", float("nan")))
    relative_to = start if is_default or now == 0 else now
    factor = rate / relative_to if relative_to > 0 else 1.0
    told = (
        f"a group was added to {type(optimizer).__name__} in mid-training with the rate {rate:g}: from here on its rate is "
        f"{factor:g} of the first group's"
    )
    warnings.warn(told, UserWarning, stacklevel=4)
    return factor


def set_momentum(group: dict[str, Any], momentum: float) -> None:
    """Sets momentum, or beta1 of the Adam family."""
    if "betas" in group:
        group["betas"] = (momentum, *group["betas"][1:])
    else:
        group["momentum"] = momentum


def _first_rate(group: dict[str, Any]) -> float:
    return float(group.get("initial_lr", group["lr"]))


def refuse_closures(optimizer: Optimizer) -> None:
    """Refuses what makes many measurements in an update."""
    if isinstance(optimizer, torch.optim.LBFGS):
        raise cyclr.CyclrError(
            "LBFGS measures the loss several times in an update, which a loop does not show: use cyclr.torch.Trainer "
            "with step=..., which calls its step(closure)"
        )
