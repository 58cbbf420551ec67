"""The losses that a loop calls ``backward`` on, seen without a line of the loop changed."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, Callable, Optional

import torch

from cyclr._loop import Figures
from cyclr._trainer import Metric

_seen: list[Losses] = []


class Losses:
    """The losses of an update, as the mean over its micro-batches, undone what AMP and accumulation make of them.

    Values that are on a device stay there, so that nothing waits for them.

    Args:
        accumulate: The micro-batches of an update, if they are known.

    Attributes:
        seen: How many there were.
        has_scaled_step: Whether AMP's scaler has been asked for the step that the losses are for.
    """

    def __init__(self, accumulate: int = 0) -> None:
        self._values: list[Any] = []
        self._divisors: list[float] = []
        self._accumulated = accumulate
        self.seen = 0
        self.has_scaled_step = False

    def watch(self) -> Losses:
        """Sees every ``backward`` of this process from now on."""
        _patch()
        _seen[:] = [self]
        return self

    def add(self, loss: torch.Tensor) -> None:
        """Notes a loss that is about to be propagated."""
        self.seen += 1
        loss = getattr(loss, "_cyclr_unscaled", loss)
        self._divisors.append(_divisor(loss))
        value = loss.detach()
        self._values.append(value.item() if value.device.type == "cpu" else value.clone())

    def __len__(self) -> int:
        return len(self._values)

    def clear(self) -> None:
        """Forgets what was seen."""
        self._values, self._divisors = [], []
        self.has_scaled_step = False

    def take(self) -> Optional[Any]:
        """The loss of the update, or ``None`` if there was none; then begins anew."""
        loss = self.mean()
        self.clear()
        return loss

    def mean(self) -> Optional[Any]:
        """The loss of the update so far, or ``None`` if there was none."""
        if not self._values:
            return None
        count = len(self._values)
        loss = sum(self._values[1:], start=self._values[0])
        divisor = self._divisors[0]
        if divisor == count:
            self._accumulated = count
        # Micro-batches that the loop divided by their number sum up to the mean.
        is_divided = divisor > 1 and divisor in (count, self._accumulated)
        is_divided = is_divided and all(each == divisor for each in self._divisors)
        return loss * (divisor / count if is_divided else 1 / count) if count > 1 or is_divided else loss


def _divisor(loss: torch.Tensor) -> float:
    """By what number a loss was divided last; 1 if it was by none."""
    made_by = loss.grad_fn
    name = made_by.name() if made_by is not None else ""
    if name not in ("DivBackward0", "MulBackward0"):
        return 1.0
    other = getattr(made_by, "_saved_other", None)
    if other is None or other.numel() != 1 or other.device.type != "cpu":
        return 1.0
    number = float(other)
    divisor = number if name == "DivBackward0" else 1 / number if number else 1.0
    return float(round(divisor)) if abs(divisor - round(divisor)) < 1e-6 else 1.0


def _patch() -> None:
    if hasattr(torch.Tensor.backward, "_cyclr"):
        return
    torch.Tensor.backward = _seeing(torch.Tensor.backward)  # type: ignore[method-assign]
    torch.amp.GradScaler.scale = _noting(torch.amp.GradScaler.scale)  # type: ignore[method-assign]
    torch.amp.GradScaler.step = _noticing(torch.amp.GradScaler.step)  # type: ignore[method-assign]


def _seeing(backward: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(backward)
    def seen(self: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        if self.numel() == 1:
            for losses in _seen:
                losses.add(self)
        return backward(self, *args, **kwargs)

    seen._cyclr = True  # type: ignore[attr-defined]
    return seen


def _noting(scale: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(scale)
    def noted(self: Any, outputs: Any) -> Any:
        scaled = scale(self, outputs)
        if isinstance(outputs, torch.Tensor) and scaled is not outputs:
            # What it was before: reading the scale would wait for the device.
            scaled._cyclr_unscaled = outputs
        return scaled

    return noted


def _noticing(step: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(step)
    def noticed(*args: Any, **kwargs: Any) -> Any:
        for losses in _seen:
            losses.has_scaled_step = True
        return step(*args, **kwargs)

    return noticed


def read_at_once(figures: Sequence[Figures]) -> list[list[Metric]]:
    """The metrics of updates, with one wait for the device."""
    for name in ("loss", "correct"):
        waiting = [one for one in figures if isinstance(getattr(one, name), torch.Tensor)]
        if waiting:
            values = torch.stack([getattr(one, name).detach().double().reshape(()) for one in waiting]).tolist()
            for one, value in zip(waiting, values):
                setattr(one, name, value)
    return [one.metrics() for one in figures]
