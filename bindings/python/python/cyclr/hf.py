"""A schedule for a Hugging Face trainer, and `attach`, which puts one under cyclr."""

from __future__ import annotations

from typing import Any, Optional, Union

from torch.optim import Optimizer
from transformers import TrainerCallback, TrainingArguments

import cyclr
from cyclr._cyclr import Spec
from cyclr._hf_attach import attach
from cyclr.torch import Schedule
from cyclr.torch._groups import Groups

__all__ = ["CyclrCallback", "attach", "scheduler"]


class CyclrCallback(TrainerCallback):  # type: ignore[misc]
    """Sets the rates of every optimizer update from a spec, instead of the trainer's own schedule.

    Resuming needs nothing: the rate is a function of the trainer's ``global_step``. The logs show the rate that is used.

    Args:
        spec: A policy, as text or `cyclr.Spec`.
        examples: The training examples, for lengths in epochs.
        batch: The examples of an update.
    """

    def __init__(self, spec: Union[Spec, str], *, examples: Optional[int] = None, batch: Optional[int] = None) -> None:
        self.spec, self.examples, self.batch = spec, examples, batch

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Learns the length of the run."""
        optimizer = kwargs["optimizer"]
        # Accelerate wraps it.
        self._groups = Groups([getattr(optimizer, "optimizer", optimizer)])
        self._schedule = cyclr.Schedule(self.spec, updates=state.max_steps, examples=self.examples, batch=self.batch)
        self._groups.check(self._schedule)

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Sets what the next update uses."""
        self._groups.set(self._schedule.at(state.global_step))

    def on_log(self, args: Any, state: Any, control: Any, logs: Optional[dict[str, Any]] = None, **kwargs: Any) -> None:
        """Shows the rate of the last update."""
        # The trainer has put a copy into its history by now.
        for shown in [logs, *state.log_history[-1:]]:
            if shown and "learning_rate" in shown:
                shown["learning_rate"] = self._schedule.at(max(state.global_step - 1, 0)).lr


def scheduler(
    optimizer: Optimizer,
    spec: Union[Spec, str],
    args: Optional[TrainingArguments] = None,
    *,
    updates: Optional[int] = None,
    examples: Optional[int] = None,
    batch: Optional[int] = None,
) -> Schedule:
    """A scheduler that the trainer steps, saves and resumes: the second of its ``optimizers``.

    Args:
        optimizer: The optimizer.
        spec: A policy, as text or `cyclr.Spec`.
        args: The trainer's arguments, for their ``max_steps``.
        updates: The optimizer updates of the run, where ``args`` do not say.
        examples: The training examples, for lengths in epochs.
        batch: The examples of an update.
    """
    if updates is None and args is not None and args.max_steps > 0:
        updates = args.max_steps
    return Schedule(optimizer, spec, updates=updates, examples=examples, batch=batch)
