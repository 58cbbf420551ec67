"""A schedule for a Lightning trainer, and `Attach`, which puts one under cyclr."""

from __future__ import annotations

import math
import warnings
from typing import Any, Optional, Union

import cyclr
from cyclr._cyclr import Spec
from cyclr._lightning_attach import Attach
from cyclr._past import Continued
from cyclr.torch._counting import Moves, updates_of
from cyclr.torch._groups import Groups

try:
    from lightning.pytorch import Callback
except ImportError:
    from pytorch_lightning import Callback  # type: ignore


__all__ = ["Attach", "CyclrCallback"]


class CyclrCallback(Callback):
    """Sets the rates of every optimizer update from a spec.

    Resuming needs nothing: the rate is a function of the trainer's ``global_step``. (With several
    optimizers, an update goes from a step of the first to its next one.) Leave other
    schedulers out of ``configure_optimizers``, or return a `cyclr.torch.Schedule` there (interval
    ``"step"``) instead of this. Groups that are added later follow the spec too, and a warning
    says by which factor. Past the end of the run a policy that does not depend on its length goes
    on; any other is refused at the beginning of a ``fit``, and warned of within it. A checkpoint of a
    run of another length, on which the rates depend, is refused unless ``updates`` is given.

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
        self._saved: dict[str, Any] = {}
        # The updates that were made at a step of the trainer, which counts those of all optimizers.
        self._counted: dict[str, int] = {"step": 0, "updates": 0}

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Learns the length of the run."""
        updates = _updates(trainer) if self.updates is None else self.updates
        self._made_before = self._updates_before(trainer) - updates_of(trainer.optimizers[0])
        self._rates = Continued(self.spec, updates=updates, examples=self.examples, batch=self.batch)
        self._check_length()
        self._rates.begin(self._updates_done(trainer), "give updates=… for all that is trained")
        self._groups = Groups(trainer.optimizers)
        self._groups.check(self._rates.schedule)
        self._last, self._moves, self._is_told = -1, Moves(), False

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
        """Shows what the next update uses to what looks at the rate before it."""
        self._set(trainer)
        self._check_count(trainer.global_step)

    def on_before_optimizer_step(self, trainer: Any, pl_module: Any, optimizer: Any) -> None:
        """Sets what the update uses: a batch may make several. It begins with the step of the first optimizer."""
        if optimizer is trainer.optimizers[0]:
            self._set(trainer)

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Notes the updates that were made, for a state or another ``fit``."""
        self._counted = {"step": int(trainer.global_step), "updates": self._updates_done(trainer)}

    def state_dict(self) -> dict[str, Any]:
        """The run that the schedule is of, for checkpoints."""
        if not hasattr(self, "_rates"):
            return self._saved
        return {"spec": str(self.spec), "updates": self._rates.schedule.updates, "counted": self._counted}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Notes of which run the schedule was."""
        self._saved = state_dict
        self._counted = state_dict.get("counted", self._counted)

    def _set(self, trainer: Any) -> None:
        self._groups.optimizers = trainer.optimizers
        self._groups.set(self._rates.at(self._updates_done(trainer)))

    def _updates_done(self, trainer: Any) -> int:
        if len(trainer.optimizers) == 1:
            return int(trainer.global_step)
        return self._made_before + updates_of(trainer.optimizers[0])

    def _updates_before(self, trainer: Any) -> int:
        """The updates before this ``fit``; of a checkpoint that does not tell, all optimizers made as many steps."""
        step = int(trainer.global_step)
        return self._counted["updates"] if step == self._counted["step"] else step // len(trainer.optimizers)

    def _check_length(self) -> None:
        """Refuses another length of the run than the checkpoint's, unless it was given or the rates are the same."""
        now = self._rates.schedule
        if self.updates is not None or self._saved.get("spec") != str(self.spec):
            return
        before = cyclr.Schedule(self.spec, updates=self._saved["updates"], examples=self.examples, batch=self.batch)
        if not before.agrees_with(now):
            raise cyclr.CyclrError(
                f"the checkpoint is of a run of {before.updates} updates, and this one has {now.updates}: give "
                f"updates={before.updates} to keep the curve, or updates={now.updates} to stretch it"
            )

    def _check_count(self, steps: int) -> None:
        """Warns where updates are made that the trainer does not count."""
        have_moved, is_counted = self._moves.seen(self._groups.optimizers), steps != self._last
        self._last = steps
        if have_moved and not is_counted and not self._is_told:
            self._is_told = True
            told = (
                f"the weights change, but trainer.global_step stays at {steps}, by which updates are counted, and so does "
                "the learning rate: call step() of the optimizers that self.optimizers() gives"
            )
            warnings.warn(told, UserWarning, stacklevel=3)


def _updates(trainer: Any) -> int:
    """The updates that the trainer means to make."""
    updates = trainer.estimated_stepping_batches
    if trainer.max_steps > 0:
        # Those of all optimizers.
        updates = min(updates, math.ceil(trainer.max_steps / len(trainer.optimizers)))
    if not (math.isfinite(updates) and updates > 0):
        raise cyclr.CyclrError(
            f"how long is the run? Lightning does not tell (max_epochs = {trainer.max_epochs}, max_steps = {trainer.max_steps}, "
            f"{trainer.num_training_batches} batches an epoch): give updates=…"
        )
    return int(updates)
