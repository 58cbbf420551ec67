"""torch's own cyclical schedulers, with the values from cyclr's schedules."""

from __future__ import annotations

from typing import Any, Callable, Literal, Optional, Union

import torch
from torch.optim import lr_scheduler

import cyclr
from cyclr._past import FOREVER
from cyclr.torch._counting import CountsUpdates, another_length
from cyclr.torch._groups import set_momentum


class CyclicLR(CountsUpdates, lr_scheduler.CyclicLR):
    """torch's ``CyclicLR``: the same arguments and values, taken from cyclr's triangles.

    Where it differs: a call of ``step()`` without an update of the optimizer does nothing.

    Args:
        optimizer: The optimizer.
        base_lr: The lower bound, for all groups or one for each.
        max_lr: The upper bound, likewise.
        step_size_up: Updates from the lower to the upper bound, above 0.
        step_size_down: Updates back; the same where it is not given; 0 falls back at once (a
            sawtooth).
        mode: ``"triangular"``, ``"triangular2"`` or ``"exp_range"``.
        gamma: The factor of ``"exp_range"``.
        scale_fn: A scaling of your own; ``mode`` is then ignored.
        scale_mode: Whether ``scale_fn`` is given the cycle, from 1, or the update, from 0.
        cycle_momentum: Moves momentum (beta1 of the Adam family) against the rate.
        base_momentum: The lower bound of momentum.
        max_momentum: The upper bound of momentum.
        last_epoch: The update before the first, when resuming without a state.

    Raises:
        CyclrError: A step size is out of its range.
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
        _check_step_sizes(step_size_up, step_size_down)
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
        rates = [base + (most - base) * height for base, most in zip(self.base_lrs, self.max_lrs)]
        return self._keep_late_groups(rates)

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
        if self.step_ratio == 1:
            return self._sawtooth()
        if self._shape is None:
            self._shape = self._unit_wave()
        shape, update = self._shape, self.last_epoch
        if self._is_builtin():
            return shape.lr(update)
        position = shape.position(update)
        assert position is not None
        x = position[1] + 1 if self.scale_mode == "cycle" else update
        return shape.lr(update) * self.scale_fn(x)

    def _sawtooth(self) -> float:
        """The height where the way back takes no update, which no spec has."""
        cycle, update = divmod(self.last_epoch, self.total_size)
        x = cycle + 1 if self.scale_mode == "cycle" else self.last_epoch
        return update / self.total_size * self.scale_fn(x)

    def _is_builtin(self) -> bool:
        return self._scale_fn_custom is None and (self.mode != "exp_range" or 0 < self.gamma <= 1)

    def _unit_wave(self) -> cyclr.Schedule:
        up = self.total_size * self.step_ratio
        lengths = f"up={_length(up)}, down={_length(self.total_size - up)}"
        mode = self.mode if self._is_builtin() else "triangular"
        gamma = f", gamma={self.gamma!r}" if mode == "exp_range" else ""
        return cyclr.Schedule(f"{mode}(base=0, max=1, {lengths}{gamma})", updates=FOREVER)


def _check_step_sizes(up: float, down: Optional[float]) -> None:
    if not 0 < up < FOREVER:
        raise cyclr.CyclrError(f"step_size_up = {up}: it must be a number of updates above 0")
    if down is not None and not 0 <= down < FOREVER:
        raise cyclr.CyclrError(f"step_size_down = {down}: it must be a number of updates of at least 0")


def _length(updates: float) -> str:
    """Updates in the spec grammar, which has whole ones, or a share of the horizon."""
    whole = round(updates)
    if abs(updates - whole) <= 1e-9 * updates:
        return str(whole)
    return f"{updates / FOREVER * 100!r}%"


class OneCycleLR(CountsUpdates, lr_scheduler.OneCycleLR):
    """torch's ``OneCycleLR``: the same arguments and values, taken from cyclr's ``one_cycle``.

    Where it differs: a call of ``step()`` without an update of the optimizer does nothing; past
    the last update the last rate stays, with a warning instead of an error; and a run starts at
    ``max_lr`` if ``pct_start`` of it is less than one update.

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
        div_factor: The first rate is ``max_lr / div_factor``; above 0.
        final_div_factor: The last rate is the first one divided by this; above 0.
        three_phase: Goes back to the first rate as steeply as up, and to the last one then.
        last_epoch: The update before the first, when resuming without a state.

    Raises:
        CyclrError: A divisor is out of its range, or the rise too long for three phases.
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
        _check_cycle(**self._cycle)
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
        groups = self.optimizer.param_groups[: len(self.base_lrs)]
        if self.cycle_momentum:
            assert hyper.momentum is not None
            height = (_UNIT_MOMENTUM - hyper.momentum) / _UNIT_MOMENTUM
            for group in groups:
                high, low = group["max_momentum"], group["base_momentum"]
                set_momentum(group, high - (high - low) * height)
        rate = hyper.lr if self._is_usual() else self._unusual(update, hyper.lr)
        return self._keep_late_groups([group["max_lr"] * rate for group in groups])

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Goes on from a state, exactly; also from one of torch's own class, for the same settings.

        Raises:
            CyclrError: The state is of a run of another length, or of torch's own class and of
                other settings.
        """
        if "_cycle" in state_dict and state_dict["total_steps"] != self.total_steps:
            raise another_length(state_dict["total_steps"], self.total_steps, "total_steps")
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

    def _end(self) -> Optional[int]:
        return self.total_steps

    def _is_usual(self) -> bool:
        """Whether the rate rises to its max and ends no higher than it began, as all that a spec describes do."""
        return bool(min(self._cycle["div_factor"], self._cycle["final_div_factor"]) >= 1)

    def _unusual(self, update: int, unit: float) -> float:
        """The rate, relative to the max, of divisors below 1, from that of the unit cycle."""
        initial = 1 / float(self._cycle["div_factor"])
        last = initial / float(self._cycle["final_div_factor"])
        peak = max(self._cycle["pct_start"] * self.total_steps - 1, 0)
        if self._cycle["phases"] == 3 and update > 2 * peak:
            start, stop, unit_start, unit_stop = initial, last, 1 / _UNIT_DIV, 1 / _UNIT_DIV**2
        elif self._cycle["phases"] == 3 or update <= peak:
            start, stop, unit_start, unit_stop = initial, 1.0, 1 / _UNIT_DIV, 1.0
        else:
            start, stop, unit_start, unit_stop = 1.0, last, 1.0, 1 / _UNIT_DIV**2
        return start + (stop - start) * (unit - unit_start) / (unit_stop - unit_start)

    def _unit_cycle(self) -> cyclr.Schedule:
        cycle = self._cycle
        div, final = (cycle["div_factor"], cycle["final_div_factor"]) if self._is_usual() else (_UNIT_DIV, _UNIT_DIV)
        spec = (
            f"one_cycle(max=1, warmup={cycle['pct_start'] * 100!r}%, div={float(div)!r},"
            f" final_div={float(final)!r}, anneal={cycle['anneal']},"
            f" phases={cycle['phases']}, momentum=0..{_UNIT_MOMENTUM})"
        )
        return cyclr.Schedule(spec, updates=self.total_steps)


def _check_cycle(
    pct_start: float, div_factor: float, final_div_factor: float, anneal: str, phases: Literal[2, 3]
) -> None:
    for name, divisor in [("div_factor", div_factor), ("final_div_factor", final_div_factor)]:
        if not 0 < divisor < float("inf"):
            raise cyclr.CyclrError(f"{name} = {divisor}: it must be a finite number above 0")
    if phases == 3 and pct_start > 0.5:
        raise cyclr.CyclrError(
            f"pct_start = {pct_start}: in three phases the rate falls for as long as it rises, so that it must be at most 0.5"
        )


_UNIT_DIV = 2
"""The divisors of the unit cycle whose progress stands for that of divisors below 1."""
_UNIT_MOMENTUM = 0.5
"""The momentum of the unit cycle, whose height between 0 and this is that of the cycle."""
