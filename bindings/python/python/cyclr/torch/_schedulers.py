"""Schedulers that are torch's `LRScheduler`s and take their values from cyclr's schedules.

All of them count optimizer updates: call ``step()`` after ``optimizer.step()``, as with torch. Under gradient
accumulation it may be called after every micro-batch as well, since a call without an update of the optimizer since the
last one does nothing. (In a loop that trains nothing, without gradients and updates, each call counts, as torch has it.)
Past the end of a run they hold the last value.

Accelerate calls the ``step()`` of a prepared scheduler once for each process. Torch's schedulers run so many times as fast
then; these do not, and lengths are optimizer updates whatever the number of processes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Callable, Optional, Union

import torch
from torch.optim import lr_scheduler

import cyclr
from cyclr._cyclr import Hyper, Spec
from cyclr.torch._counting import CountsUpdates
from cyclr.torch._groups import factors, set_momentum

FOREVER = 2**53
"""A horizon for policies that do not depend on one."""


class CyclicLR(CountsUpdates, lr_scheduler.CyclicLR):
    """torch's ``CyclicLR``: the same arguments and values, taken from cyclr's triangles.

    Where it differs: a call of ``step()`` without an update of the optimizer does nothing.

    Args:
        optimizer: The optimizer.
        base_lr: The lower bound, for all groups or one for each.
        max_lr: The upper bound, likewise.
        step_size_up: Updates from the lower to the upper bound.
        step_size_down: Updates back; the same where it is not given.
        mode: ``"triangular"``, ``"triangular2"`` or ``"exp_range"``.
        gamma: The factor of ``"exp_range"``.
        scale_fn: A scaling of your own; ``mode`` is then ignored.
        scale_mode: Whether ``scale_fn`` is given the cycle, from 1, or the update, from 0.
        cycle_momentum: Moves momentum (beta1 of the Adam family) against the rate.
        base_momentum: The lower bound of momentum.
        max_momentum: The upper bound of momentum.
        last_epoch: The update before the first, when resuming without a state.
    """

    def __init__(
        self,
        optimizer: torch.optim.Optimizer,
        base_lr: Union[float, list[float]],
        max_lr: Union[float, list[float]],
        step_size_up: int = 2000,
        step_size_down: Optional[int] = None,
        mode: str = "triangular",
        gamma: float = 1.0,
        scale_fn: Optional[Callable[[float], float]] = None,
        scale_mode: str = "cycle",
        cycle_momentum: bool = True,
        base_momentum: Union[float, list[float]] = 0.8,
        max_momentum: Union[float, list[float]] = 0.9,
        last_epoch: int = -1,
    ) -> None:
        self._shape: Optional[cyclr.Schedule] = None
        super().__init__(
            optimizer,
            base_lr,
            max_lr,
            step_size_up,
            step_size_down,
            mode,  # type: ignore[arg-type]
            gamma,
            scale_fn,
            scale_mode,  # type: ignore[arg-type]
            cycle_momentum,
            base_momentum,  # type: ignore[arg-type]
            max_momentum,  # type: ignore[arg-type]
            last_epoch,
        )

    def get_lr(self) -> list[Any]:
        """The rates of update ``last_epoch``; sets the momenta of the groups."""
        self._warn_outside_step()
        height = self._height()
        if self.cycle_momentum:
            for group, low, high in zip(self.optimizer.param_groups, self.base_momentums, self.max_momentums):
                set_momentum(group, high - (high - low) * height)
        return [base + (most - base) * height for base, most in zip(self.base_lrs, self.max_lrs)]

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Goes on from a state, exactly; also from one of torch's own class."""
        super().load_state_dict(dict(state_dict))
        self._shape = None

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        # torch's references to its own scalings are made anew.
        state.pop("_scale_fn_ref", None)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._init_scale_fn()

    def _height(self) -> float:
        """How far the rates are from their base to their max."""
        if self._shape is None:
            self._shape = self._unit_wave()
        shape, update = self._shape, self.last_epoch
        if self._is_builtin():
            return shape.lr(update)
        position = shape.position(update)
        assert position is not None
        x = position[1] + 1 if self.scale_mode == "cycle" else update
        return shape.lr(update) * self.scale_fn(x)

    def _is_builtin(self) -> bool:
        return self._scale_fn_custom is None and (self.mode != "exp_range" or 0 < self.gamma <= 1)

    def _unit_wave(self) -> cyclr.Schedule:
        up = self.total_size * self.step_ratio
        lengths = f"up={_length(up)}, down={_length(self.total_size - up)}"
        mode = self.mode if self._is_builtin() else "triangular"
        gamma = f", gamma={self.gamma!r}" if mode == "exp_range" else ""
        return cyclr.Schedule(f"{mode}(base=0, max=1, {lengths}{gamma})", updates=FOREVER)


def _length(updates: float) -> str:
    """Updates in the spec grammar, which has whole ones, or a share of the horizon."""
    whole = round(updates)
    if abs(updates - whole) <= 1e-9 * updates:
        return str(whole)
    return f"{updates / FOREVER * 100!r}%"


class OneCycleLR(CountsUpdates, lr_scheduler.OneCycleLR):
    """torch's ``OneCycleLR``: the same arguments and values, taken from cyclr's ``one_cycle``.

    Where it differs: a call of ``step()`` without an update of the optimizer does nothing, and past the last update the
    last rate stays instead of an error.

    Args:
        optimizer: The optimizer.
        max_lr: The upper bound, for all groups or one for each.
        total_steps: The updates of the run.
        epochs: Its epochs, with ``steps_per_epoch``, where ``total_steps`` is not given.
        steps_per_epoch: The updates of an epoch.
        pct_start: The share of the run that the rate rises.
        anneal_strategy: ``"cos"`` or ``"linear"``.
        cycle_momentum: Moves momentum (beta1 of the Adam family) against the rate.
        base_momentum: The lower bound of momentum, for all groups or one for each.
        max_momentum: The upper bound of momentum, likewise.
        div_factor: The first rate is ``max_lr / div_factor``.
        final_div_factor: The last rate is the first one divided by this.
        three_phase: Goes back to the first rate as steeply as up, and to the last one then.
        last_epoch: The update before the first, when resuming without a state.
    """

    def __init__(
        self,
        optimizer: torch.optim.Optimizer,
        max_lr: Union[float, list[float]],
        total_steps: Optional[int] = None,
        epochs: Optional[int] = None,
        steps_per_epoch: Optional[int] = None,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        cycle_momentum: bool = True,
        base_momentum: Union[float, list[float]] = 0.85,
        max_momentum: Union[float, list[float]] = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
        last_epoch: int = -1,
    ) -> None:
        self._shape: Optional[cyclr.Schedule] = None
        self._cycle: dict[str, Any] = {
            "pct_start": pct_start,
            "div_factor": div_factor,
            "final_div_factor": final_div_factor,
            "anneal": anneal_strategy,
            "phases": 3 if three_phase else 2,
        }
        super().__init__(
            optimizer,
            max_lr,
            total_steps,
            epochs,
            steps_per_epoch,
            pct_start,
            anneal_strategy,  # type: ignore[arg-type]
            cycle_momentum,
            base_momentum,
            max_momentum,
            div_factor,
            final_div_factor,
            three_phase,
            last_epoch,
        )

    def get_lr(self) -> list[Any]:
        """The rates of update ``last_epoch``; sets the momenta of the groups."""
        self._warn_outside_step()
        if self._shape is None:
            self._shape = self._unit_cycle()
        update = min(self.last_epoch, self.total_steps - 1)
        hyper = self._shape.at(update)
        if self.cycle_momentum:
            assert hyper.momentum is not None
            height = (_UNIT_MOMENTUM - hyper.momentum) / _UNIT_MOMENTUM
            for group in self.optimizer.param_groups:
                high, low = group["max_momentum"], group["base_momentum"]
                set_momentum(group, high - (high - low) * height)
        return [group["max_lr"] * hyper.lr for group in self.optimizer.param_groups]

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Goes on from a state, exactly; also from one of torch's own class, for the same settings.

        Raises:
            CyclrError: The state is of torch's own class, and of other settings.
        """
        if "_cycle" not in state_dict:
            for name in ("total_steps", "_schedule_phases", "_anneal_func_type"):
                ours, theirs = getattr(self, name, None), state_dict.get(name)
                if ours != theirs:
                    raise cyclr.CyclrError(
                        f"the state is of a OneCycleLR of torch with other settings ({name} is {theirs}, and here {ours}): "
                        "give the arguments that it was made with"
                    )
        super().load_state_dict(state_dict)
        self._shape = None

    def _unit_cycle(self) -> cyclr.Schedule:
        cycle = self._cycle
        spec = (
            f"one_cycle(max=1, warmup={cycle['pct_start'] * 100!r}%, div={float(cycle['div_factor'])!r},"
            f" final_div={float(cycle['final_div_factor'])!r}, anneal={cycle['anneal']},"
            f" phases={cycle['phases']}, momentum=0..{_UNIT_MOMENTUM})"
        )
        return cyclr.Schedule(spec, updates=self.total_steps)


_UNIT_MOMENTUM = 0.5
"""The momentum of the unit cycle, whose height between 0 and this is that of the cycle."""


class Schedule(CountsUpdates):
    """Any spec, as a scheduler of torch.

    The rate multiplies each group's factor: its rate at the beginning relative to that of the first group, so that all
    groups follow the spec where their rates are alike. Momentum (beta1 of the Adam family) and weight decay are moved
    where the spec moves them, and left alone otherwise; weight decay multiplies the groups' factors as well. It may be
    called as rarely as once an epoch: it goes to the update that the optimizer is at.

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
        self._schedules: Optional[list[cyclr.Schedule]] = None
        self._check(groups)
        super().__init__(optimizer, last_epoch)

    def step(self, epoch: Optional[int] = None) -> None:
        """Sets the rates of the update that the optimizer makes next.

        Args:
            epoch: Deprecated in torch: the update to go to.
        """
        if not self._is_first() and epoch is None:
            self.last_epoch += max(self._made() - 1, 0)
        super().step(epoch)

    def get_lr(self) -> list[Any]:
        """The rates of update ``last_epoch``; sets momentum and weight decay where the spec moves them."""
        self._warn_outside_step()
        hypers = self._hypers()
        for group, hyper, weight_decay in zip(self.optimizer.param_groups, hypers, self.weight_decays):
            if hyper.momentum is not None:
                set_momentum(group, hyper.momentum)
            if hyper.weight_decay is not None:
                first = self.weight_decays[0]
                group["weight_decay"] = hyper.weight_decay * (weight_decay / first if first else 1.0)
        return [hyper.lr * factor for hyper, factor in zip(hypers, self.factors)]

    def _get_closed_form_lr(self) -> list[Any]:
        return self.get_lr()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Goes on from a state, exactly; the spec is the one of the state."""
        super().load_state_dict(state_dict)
        self._schedules = None

    def _hypers(self) -> list[Hyper]:
        if self._schedules is None:
            made = {spec: cyclr.Schedule(spec, **self.horizon) for spec in self.specs}  # type: ignore[arg-type]
            self._schedules = [made[spec] for spec in self.specs]
        return [schedule.at(self.last_epoch) for schedule in self._schedules]

    def _check(self, groups: list[dict[str, Any]]) -> None:
        self.last_epoch = 0
        for group, hyper in zip(groups, self._hypers()):
            if hyper.momentum is not None and not ("momentum" in group or "betas" in group):
                raise cyclr.CyclrError("the spec moves momentum, and this optimizer has none: leave it out of the spec")
