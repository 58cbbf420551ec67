"""A schedule for a Lightning trainer, and `Attach`, which puts one under cyclr."""

from __future__ import annotations

from typing import Any, Optional, Union

import cyclr
from cyclr._cyclr import Spec
from cyclr._lightning_attach import Attach
from cyclr.torch._groups import Groups

try:
    from lightning.pytorch import Callback
except ImportError:
    from pytorch_lightning import Callback  # type: ignore


__all__ = ["Attach", "CyclrCallback"]


class CyclrCallback(Callback):
    """Sets the rates of every optimizer update from a spec.

    Resuming needs nothing: the rate is a function of the trainer's ``global_step``. Leave other schedulers out of
    ``configure_optimizers``, or return a `cyclr.torch.Schedule` there (interval ``"step"``) instead of this.

    Args:
        spec: A policy, as text or `cyclr.Spec`.
        updates: The optimizer updates of the run; the trainer's own estimate where it is not given.
        examples: The training examples, for lengths in epochs.
        batch: The examples of an update.
    """

    def __init__(
        self,
        spec: Union[Spec, str],
        *,
        updates: Optional[int] = None,
        examples: Optional[int] = None,
        batch: Optional[int] = None,
    ) -> None:
        self.spec, self.updates, self.examples, self.batch = spec, updates, examples, batch

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Learns the length of the run."""
        updates = self.updates or int(trainer.estimated_stepping_batches)
        self._schedule = cyclr.Schedule(self.spec, updates=updates, examples=self.examples, batch=self.batch)
        self._groups = Groups(trainer.optimizers)
        self._groups.check(self._schedule)

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
        """Sets what the next update uses."""
        self._groups.set(self._schedule.at(trainer.global_step // len(trainer.optimizers)))
