"""Any spec, as a scheduler of torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Optional, Union

import torch

import cyclr
from cyclr._cyclr import Hyper, Spec
from cyclr.torch._counting import CountsUpdates, another_length
from cyclr.torch._groups import factors, first_above_zero, late_factor, set_momentum


class Schedule(CountsUpdates):
    """Any spec, as a scheduler of torch.

    The rate multiplies each group's factor: its rate at the beginning relative to that of the
    first group, so that all groups follow the spec where their rates are alike. Momentum (beta1 of
    the Adam family) and weight decay are moved where the spec moves them, and left alone
    otherwise; weight decay multiplies the groups' factors as well. A group that is added later
    follows the spec too, and a warning says by which factor. It may be called as rarely as once an
    epoch: it goes to the update that the optimizer is at.

    Args:
        optimizer: The optimizer.
        spec: A policy, as text or `cyclr.Spec`, or one for each group (whose factors are then 1).
        updates: The optimizer updates of the run.
        epochs: Its passes over the data, instead.
        examples: The training examples, for lengths in epochs.
        batch: The examples of an update.
        last_epoch: The update before the first, when resuming without a state.

    Raises:
        CyclrError: The spec does not fit the run, or the optimizer.

    Example:
        >>> import torch, cyclr.torch
        >>> optimizer = torch.optim.SGD(torch.nn.Linear(2, 1).parameters(), lr=0.1)
        >>> spec = "triangular2(base=0.001, max=0.006, step=2000)"
        >>> scheduler = cyclr.torch.Schedule(optimizer, spec, updates=16_000)
        >>> scheduler.get_last_lr()
        [0.001]
    """

    def __init__(
        self,
        optimizer: torch.optim.Optimizer,
        spec: Union[Spec, str, Sequence[Union[Spec, str]]],
        *,
        updates: Optional[int] = None,
        epochs: Optional[float] = None,
        examples: Optional[int] = None,
        batch: Optional[int] = None,
        last_epoch: int = -1,
    ) -> None:
        groups = optimizer.param_groups
        single = isinstance(spec, (Spec, str))
        self.specs = [str(one) for one in ([spec] * len(groups) if single else spec)]  # type: ignore[union-attr]
        if len(self.specs) != len(groups):
            raise cyclr.CyclrError(f"there are {len(self.specs)} specs and {len(groups)} groups: give one for each")
        self.horizon = {"updates": updates, "epochs": epochs, "examples": examples, "batch": batch}
        self.factors = factors(groups) if single else [1.0] * len(groups)
        self.weight_decays = [float(group.get("weight_decay", 0.0)) for group in groups]
        self._is_single = single
        self._schedules: Optional[list[cyclr.Schedule]] = None
        self._check(groups)
        super().__init__(optimizer, last_epoch)

    def _skip(self, updates: int) -> None:
        self.last_epoch += updates

    def _end(self) -> Optional[int]:
        return self._made_schedules()[0].updates

    def get_lr(self) -> list[Any]:
        """The rates of update ``last_epoch``; sets momentum and weight decay where the spec moves them."""
        self._warn_outside_step()
        self._meet_late_groups()
        hypers = self._hypers()
        for group, hyper, weight_decay in zip(self.optimizer.param_groups, hypers, self.weight_decays):
            if hyper.momentum is not None:
                set_momentum(group, hyper.momentum)
            if hyper.weight_decay is not None:
                first = first_above_zero(self.weight_decays)
                group["weight_decay"] = hyper.weight_decay * (weight_decay / first if first else 1.0)
        rates = [hyper.lr * factor for hyper, factor in zip(hypers, self.factors)]
        return self._keep_late_groups(rates)

    def _get_closed_form_lr(self) -> list[Any]:
        return self.get_lr()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Goes on from a state, exactly; the spec is the one of the state.

        Raises:
            CyclrError: The state is of a run of another length, on which its rates depend.
        """
        if "specs" not in state_dict:
            raise cyclr.CyclrError(
                "the state is of another scheduler, which has no spec: load it into one of its own kind"
            )
        ours, horizon = self._made_schedules(), self.horizon
        schedules = _schedules(state_dict["specs"], state_dict["horizon"])
        theirs, here = schedules[0].updates, ours[0].updates
        if theirs != here and not all(one.agrees_with(other) for one, other in zip(schedules, ours)):
            raise another_length(theirs, here, "updates")
        super().load_state_dict(state_dict)
        if theirs != here:
            self.horizon = horizon
        self._schedules = None

    def _hypers(self) -> list[Hyper]:
        return [schedule.at(self.last_epoch) for schedule in self._made_schedules()]

    def _made_schedules(self) -> list[cyclr.Schedule]:
        if self._schedules is None:
            self._schedules = _schedules(self.specs, self.horizon)
        return self._schedules

    def _meet_late_groups(self) -> None:
        """Takes in groups that were added to the optimizer, if there is one spec for all."""
        if not self._is_single:
            return
        groups = self.optimizer.param_groups
        for group in groups[len(self.factors) :]:
            self.factors.append(late_factor(self.optimizer, group, groups[0]))
            self.weight_decays.append(float(group.get("weight_decay", 0.0)))
            self.specs.append(self.specs[0])
            group.setdefault("initial_lr", float(group["lr"]))
            self.base_lrs.append(group["initial_lr"])
            self._schedules = None

    def _check(self, groups: list[dict[str, Any]]) -> None:
        self.last_epoch = 0
        for group, hyper in zip(groups, self._hypers()):
            if hyper.momentum is not None and not ("momentum" in group or "betas" in group):
                raise cyclr.CyclrError("the spec moves momentum, and this optimizer has none: leave it out of the spec")


def _schedules(specs: list[str], horizon: dict[str, Any]) -> list[cyclr.Schedule]:
    made = {spec: cyclr.Schedule(spec, **horizon) for spec in specs}
    return [made[spec] for spec in specs]
