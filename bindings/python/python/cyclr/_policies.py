"""One function for each policy of the spec grammar.

A length is a whole number (optimizer updates) or a text: ``"8ep"`` (epochs), ``"30%"`` (of the run). All of them raise
`CyclrError` for values that no policy may have.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Optional, Union

from cyclr._cyclr import Spec

Length = Union[int, str]
Momentum = Optional[tuple[float, float]]


def fixed(*, lr: float) -> Spec:
    """The same rate at every update."""
    return _spec("fixed", lr=lr)


def step(*, lr: float, gamma: float, every: Length) -> Spec:
    """Multiplies the rate by ``gamma`` after every ``every`` updates."""
    return _spec("step", lr=lr, gamma=gamma, every=every)


def multistep(*, lr: float, gamma: float, at: Sequence[Length]) -> Spec:
    """Multiplies the rate by ``gamma`` at each of the updates ``at``."""
    return _spec("multistep", lr=lr, gamma=gamma, at=list(at))


def exponential(*, lr: float, gamma: float) -> Spec:
    """Multiplies the rate by ``gamma`` at every update."""
    return _spec("exponential", lr=lr, gamma=gamma)


def inv(*, lr: float, gamma: float, power: float) -> Spec:
    """``lr / (1 + gamma*i)**power``, as Caffe."""
    return _spec("inv", lr=lr, gamma=gamma, power=power)


def inverse_sqrt(*, lr: float, timescale: Optional[Length] = None, warmup: Optional[Length] = None) -> Spec:
    """``lr * sqrt(T / (T + i))``, as Hugging Face: ``T`` is the timescale [default: the warm-up, or 10,000 updates]."""
    return _spec("inverse_sqrt", lr=lr, timescale=timescale, warmup=warmup)


def sigmoid(*, lr: float, gamma: float, at: Length) -> Spec:
    """``lr / (1 + exp(-gamma*(i - at)))``, as Caffe."""
    return _spec("sigmoid", lr=lr, gamma=gamma, at=at)


def poly(*, lr: float, power: float) -> Spec:
    """``lr * (1 - i/N)**power`` over a run of ``N`` updates."""
    return _spec("poly", lr=lr, power=power)


def linear(*, lr: float, end: float = 0.0, warmup: Optional[Length] = None) -> Spec:
    """From ``lr`` to ``end`` in a straight line over the run."""
    return _spec("linear", lr=lr, end=end, warmup=warmup)


def cosine(*, lr: float, min: float = 0.0, warmup: Optional[Length] = None) -> Spec:
    """From ``lr`` to ``min`` along half a cosine over the run."""
    return _spec("cosine", lr=lr, min=min, warmup=warmup)


def cosine_restarts(*, max: float, min: float, period: Length, mult: float = 1.0) -> Spec:
    """Half cosines from ``max`` to ``min``, the first ``period`` long, each ``mult`` times as long as the last."""
    return _spec("cosine_restarts", max=max, min=min, period=period, mult=mult)


def wsd(
    *,
    lr: float,
    cooldown: Length = "20%",
    shape: Literal["sqrt", "linear", "cos"] = "sqrt",
    warmup: Optional[Length] = None,
) -> Spec:
    """A constant rate with a cooldown to 0 at the end (warmup-stable-decay)."""
    return _spec("wsd", lr=lr, cooldown=cooldown, shape=shape, warmup=warmup)


def rex(*, lr: float) -> Spec:
    """Falls slowly first and fast at the end of the run."""
    return _spec("rex", lr=lr)


def triangular(
    *,
    base: float,
    max: float,
    step: Optional[Length] = None,
    up: Optional[Length] = None,
    down: Optional[Length] = None,
    momentum: Momentum = None,
) -> Spec:
    """Cycles in straight lines between ``base`` and ``max``, each way in ``step`` updates (or ``up`` and ``down``).

    ``momentum=(lo, hi)`` moves momentum against the rate; without it momentum is left alone.
    """
    return _spec("triangular", base=base, max=max, step=step, up=up, down=down, momentum=momentum)


def triangular2(
    *,
    base: float,
    max: float,
    step: Optional[Length] = None,
    up: Optional[Length] = None,
    down: Optional[Length] = None,
    momentum: Momentum = None,
) -> Spec:
    """As `triangular`, with the amplitude halved after every cycle."""
    return _spec("triangular2", base=base, max=max, step=step, up=up, down=down, momentum=momentum)


def exp_range(
    *,
    base: float,
    max: float,
    gamma: float,
    step: Optional[Length] = None,
    up: Optional[Length] = None,
    down: Optional[Length] = None,
    decays: Literal["amplitude", "bounds"] = "amplitude",
    momentum: Momentum = None,
) -> Spec:
    """As `triangular`, with the amplitude (or both bounds) multiplied by ``gamma`` at every update."""
    return _spec(
        "exp_range",
        base=base,
        max=max,
        step=step,
        up=up,
        down=down,
        gamma=gamma,
        decays=decays,
        momentum=momentum,
    )


def one_cycle(
    *,
    max: float,
    warmup: Length = "30%",
    div: float = 25.0,
    final_div: float = 1e4,
    anneal: Literal["cos", "linear"] = "cos",
    phases: Literal[2, 3] = 2,
    momentum: Momentum = None,
) -> Spec:
    """One cycle over the run: up to ``max``, then down to far below the start, as torch's ``OneCycleLR``."""
    return _spec(
        "one_cycle",
        max=max,
        warmup=warmup,
        div=div,
        final_div=final_div,
        anneal=anneal,
        phases=phases,
        momentum=momentum,
    )


def one_cycle_smith(*, base: float, max: float, step: Length, momentum: Momentum = None) -> Spec:
    """One triangular cycle, then a fall to far below ``base`` over the rest of the run."""
    return _spec("one_cycle_smith", base=base, max=max, step=step, momentum=momentum)


def warmup(length: Length, then: Union[Spec, str], *, start: float = 0.0) -> Spec:
    """A rise from ``start`` to the first rate of ``then``, in front of it."""
    return Spec(f"warmup({_value(length)}, from={_value(start)}) then {then}")


def sequence(*stages: Union[Spec, str, tuple[Union[Spec, str], Length]]) -> Spec:
    """Policies in turn: each stage a pair of a policy and how long it lasts; the last may be a policy alone.

    Example:
        >>> import cyclr
        >>> str(cyclr.sequence((cyclr.fixed(lr=0.1), 500), cyclr.linear(lr=0.1)))
        'fixed(lr=0.1) for 500 then linear(lr=0.1)'
    """
    return Spec(_in_turn(stages))


def repeat(*stages: tuple[Union[Spec, str], Length], times: int, gamma: float = 1.0) -> Spec:
    """Stages that are gone through several times, each time at ``gamma`` times the rates of the time before.

    If nothing in them cycles, each time is a cycle and ends at a trough.

    Example:
        >>> import cyclr
        >>> str(cyclr.repeat((cyclr.wsd(lr=0.1), 2000), times=5))
        '(wsd(lr=0.1, cooldown=20%) for 2000) x 5'
    """
    falling = "" if gamma == 1 else f" gamma={_value(gamma)}"
    return Spec(f"({_in_turn(stages)}) x {times}{falling}")


def _in_turn(stages: Sequence[Union[Spec, str, tuple[Union[Spec, str], Length]]]) -> str:
    parts = [f"{s[0]} for {_value(s[1])}" if isinstance(s, tuple) else str(s) for s in stages]
    return " then ".join(parts)


def _spec(name: str, **values: object) -> Spec:
    given = (f"{key}={_value(value)}" for key, value in values.items() if value is not None)
    return Spec(f"{name}({', '.join(given)})")


def _value(value: object) -> str:
    if isinstance(value, tuple):
        low, high = value
        return f"{_value(low)}..{_value(high)}"
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, str):
        return value
    if isinstance(value, int):
        return str(int(value))
    return repr(float(value))  # type: ignore[arg-type]
