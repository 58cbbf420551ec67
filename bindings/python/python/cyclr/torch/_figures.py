"""The figures of batches, as metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Optional, Union

import torch

from cyclr._trainer import Metric

Figures = Union[Mapping[str, Any], Sequence[Metric]]


class Sums:
    """Figures summed up over batches, on the device, and read once."""

    def __init__(self, each: bool = False) -> None:
        self._loss: Union[torch.Tensor, float] = 0.0
        self._correct: Union[torch.Tensor, int] = 0
        self._classifies = True
        self._count = 0
        self._right: Optional[list[torch.Tensor]] = [] if each else None

    def add(self, loss: torch.Tensor, outputs: Any, targets: Any) -> None:
        count = len(targets) if hasattr(targets, "__len__") else 1
        self._loss = self._loss + loss.detach().double() * count
        self._count += count
        right = _right(outputs, targets)
        if right is None:
            self._classifies = False
            return
        self._correct = self._correct + right.sum()
        if self._right is not None:
            self._right.append(right)

    def figures(self) -> dict[str, Any]:
        figures = {"loss": float(self._loss) / max(self._count, 1), "count": self._count}
        if self._classifies and self._count > 0:
            figures["correct"] = int(self._correct)
        return figures

    @property
    def each(self) -> Optional[list[bool]]:
        if not self._classifies or not self._right:
            return None
        return [bool(value) for value in torch.cat(self._right).tolist()]


def _right(outputs: Any, targets: Any) -> Optional[torch.Tensor]:
    """Which examples are classified correctly, where outputs are scores of classes and targets are classes."""
    if not (isinstance(outputs, torch.Tensor) and isinstance(targets, torch.Tensor)):
        return None
    if outputs.ndim != 2 or targets.ndim != 1 or targets.is_floating_point() or outputs.shape[1] < 2:
        return None
    return outputs.detach().argmax(dim=1) == targets


def metrics_of(figures: Figures, count: int) -> list[Metric]:
    """Metrics from a mapping: ``loss``, and ``correct`` of ``count``."""
    if not isinstance(figures, Mapping):
        return list(figures)
    for name in figures:
        if name not in ("loss", "correct", "count"):
            raise ValueError(
                f"`{name}` may be better where it is higher or where it is lower: "
                f"return a list with cyclr.Metric({name!r}, value, count, direction) instead of a mapping"
            )
    count = int(figures.get("count", count))
    metrics = [Metric.loss(float(figures["loss"]), count)] if "loss" in figures else []
    if "correct" in figures:
        metrics.append(Metric.accuracy(int(figures["correct"]), count))
    return metrics
