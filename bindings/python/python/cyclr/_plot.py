"""Figures, with matplotlib."""

from __future__ import annotations

from typing import TYPE_CHECKING, Optional

from cyclr._cyclr import Schedule
from cyclr._range import Bounds

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from cyclr._find import Found


def plot_schedule(schedule: Schedule, ax: Optional[Axes] = None) -> Axes:
    """The rate, and where it is moved the momentum, over the updates of the run."""
    import numpy as np

    ax = ax if ax is not None else _new()
    shown = np.unique(np.linspace(0, schedule.updates - 1, 2000).astype(np.int64))
    ax.plot(shown, schedule.lr(shown), label="learning rate")
    ax.set(xlabel="update", ylabel="learning rate", title=str(schedule.spec))
    momentum = schedule.momentum(shown)
    if not np.isnan(momentum).all():
        right = ax.twinx()
        right.plot(shown, momentum, color="tab:orange", linestyle=":", label="momentum")
        right.set_ylabel("momentum")
    return ax


def plot_found(found: Found, ax: Optional[Axes] = None) -> Axes:
    """The sweeps' deciding figures over the rate, the probes', and the bounds with their intervals."""
    ax = ax if ax is not None else _new()
    for number, curve in enumerate(found.curves):
        points = [(lr, y) for lr, y in zip(curve.lr, curve.figure or curve.loss or []) if lr > 0]
        ax.plot(*zip(*points), ".", markersize=3, alpha=0.4, label=f"sweep {number + 1}")
    has_figure = any(curve.figure for curve in found.curves)
    ends = [(probe.lr, probe.figure if has_figure else probe.loss) for probe in found.probes]
    ended = [(lr, y) for lr, y in ends if y is not None]
    if ended:
        ax.plot(*zip(*ended), "D", label="probes, at their ends")
    ax.set(xscale="log", xlabel="learning rate", ylabel="accuracy" if has_figure else "loss")
    if isinstance(found.answer, Bounds):
        for estimate, color in ((found.answer.base_lr, "tab:green"), (found.answer.max_lr, "tab:red")):
            ax.axvline(estimate.value, color=color)
            ax.axvspan(estimate.low, estimate.high, color=color, alpha=0.15)
    ax.set_title(str(found.answer), fontsize="small", wrap=True)
    ax.legend(fontsize="small")
    return ax


def _new() -> Axes:
    from matplotlib import pyplot

    return pyplot.subplots()[1]
