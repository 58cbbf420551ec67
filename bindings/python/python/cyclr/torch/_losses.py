"""The losses that a loop calls ``backward`` on, seen without a line of the loop changed."""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Callable, Optional

import torch

from cyclr._loop import Figures
from cyclr._trainer import Metric
from cyclr.torch._distributed import rank

_seen: list[Losses] = []

MOST_TERMS = 64
"""How far AMP's scale is looked for below a loss."""
_SCALED = "cyclr_scaled"
_LINEAR = {f"{name}Backward0" for name in ("Add", "Sub", "Mul", "Div", "Neg", "Sum", "Mean", "Stack", "View", "ToCopy")}
"""What a loop makes of a scaled loss, by the names of torch's graph."""


class Losses:
    """The losses of an update, as the mean over its micro-batches, undone what AMP and accumulation make of them.

    Values that are on a device stay there, so that nothing waits for them.

    Args:
        accumulate: The micro-batches of an update, if they are known.

    Attributes:
        seen: How many there were.
        has_scaled_step: Whether AMP's scaler has been asked for the step that the losses are for.
        are_divided: Whether the loop divided the losses of the last update by their number.
    """

    def __init__(self, accumulate: int = 0) -> None:
        self._values: list[Any] = []
        self._divisors: list[float] = []
        self._accumulated = accumulate
        self.seen = 0
        self.has_scaled_step = self.are_divided = False

    def watch(self) -> Losses:
        """Sees every ``backward`` of this process from now on."""
        _patch()
        _seen[:] = [self]
        return self

    def add(self, loss: torch.Tensor) -> None:
        """Notes a loss that is about to be propagated."""
        self.seen += 1
        value, divisor = _unscaled(loss)
        self._divisors.append(divisor)
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
        self.are_divided = is_divided and all(each == divisor for each in self._divisors)
        return loss * (divisor / count if self.are_divided else 1 / count) if count > 1 or self.are_divided else loss


def _unscaled(loss: torch.Tensor) -> tuple[torch.Tensor, float]:
    """The value of a loss without AMP's scale, and by what number the loop divided it last."""
    made_by: Any = loss.grad_fn
    noted = None if made_by is None else made_by.metadata.get(_SCALED)
    if noted is not None:
        # Not divided by the scale, with which it may overflow.
        return noted[0].detach(), _divisor(noted[0])
    scale = _scale_of(loss)
    return loss.detach() if scale is None else loss.detach() / scale, _divisor(loss)


def _scale_of(loss: torch.Tensor) -> Any:
    """AMP's scale of a loss that was divided, or of what it sums up, after it was scaled; ``None`` if it was not."""
    waiting: list[Any] = [loss.grad_fn]
    for _ in range(MOST_TERMS):
        if not waiting:
            return None
        node = waiting.pop()
        if node is None:
            continue
        if _SCALED in node.metadata:
            return node.metadata[_SCALED][1]
        if node.name() in _LINEAR:
            waiting.extend(term for term, _ in node.next_functions)
    return None


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


def say_several(who: str, losses: int, batches: int, advice: str) -> None:
    """Says, once for all processes, that an update propagates more losses than it has batches."""
    if rank() == 0:
        of = "one training batch" if batches == 1 else f"{batches} training batches"
        told = f"an update propagates {losses} losses of {of}, and their mean is reported: {advice}"
        print(f"{who}: {told}", file=sys.stderr, flush=True)


@contextmanager
def unseen() -> Iterator[None]:
    """Lets nobody see what is propagated meanwhile, as it is no training."""
    watching, _seen[:] = list(_seen), []
    try:
        yield
    finally:
        _seen[:] = watching


def _patch() -> None:
    if hasattr(torch.autograd.backward, "_cyclr"):
        return
    # `Tensor.backward` calls it.
    torch.autograd.backward = _seeing(torch.autograd.backward)
    torch.amp.GradScaler.scale = _noting(torch.amp.GradScaler.scale)  # type: ignore[method-assign]
    torch.amp.GradScaler.step = _noticing(torch.amp.GradScaler.step)  # type: ignore[method-assign]


def _seeing(backward: Callable[..., Any]) -> Callable[..., Any]:
    # What a backward pass begins by itself, as checkpoints do, is a part of it.
    is_within = False

    @functools.wraps(backward)
    def seen(tensors: Any, *args: Any, **kwargs: Any) -> Any:
        nonlocal is_within
        if is_within:
            return backward(tensors, *args, **kwargs)
        loss = _sum_of(tensors)
        if loss is not None:
            for losses in _seen:
                losses.add(loss)
        is_within = True
        try:
            return backward(tensors, *args, **kwargs)
        finally:
            is_within = False

    seen._cyclr = True  # type: ignore[attr-defined]
    return seen


def _sum_of(tensors: Any) -> Optional[torch.Tensor]:
    """The loss that is propagated, which may be in several parts; ``None`` if it is no number."""
    parts = [tensors] if isinstance(tensors, torch.Tensor) else list(tensors)
    if not parts or not all(isinstance(part, torch.Tensor) and part.numel() == 1 for part in parts):
        return None
    return parts[0] if len(parts) == 1 else torch.stack([part.reshape(()) for part in parts]).sum()


def _noting(scale: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(scale)
    def noted(self: Any, outputs: Any) -> Any:
        scaled = scale(self, outputs)
        if isinstance(outputs, torch.Tensor) and scaled is not outputs and scaled.grad_fn is not None:
            # As tensors: reading the scale would wait for the device.
            scaled.grad_fn.metadata[_SCALED] = outputs, self._scale
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
