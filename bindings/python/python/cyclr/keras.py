"""A schedule for a Keras model, and `begin` and `Attach`, which put its ``fit`` under cyclr."""

from __future__ import annotations

from typing import Any, Optional, Union

import keras

import cyclr
from cyclr._cyclr import Spec
from cyclr._keras_attach import Attach, begin

__all__ = ["Attach", "CyclrCallback", "begin"]


class CyclrCallback(keras.callbacks.Callback):  # type: ignore[misc]
    """Sets the rate of every update from a spec, with any backend.

    Resuming needs nothing: the rate is a function of the optimizer's ``iterations``, which a saved model keeps, and which
    counts updates, not batches, under gradient accumulation.

    Args:
        spec: A policy, as text or `cyclr.Spec`. It cannot move momentum, which Keras compiles into the step.
        updates: The optimizer updates of the run; those that ``fit`` makes, where it is not given.
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
        super().__init__()
        self.spec, self.updates, self.examples, self.batch = spec, updates, examples, batch

    def on_train_begin(self, logs: Optional[dict[str, Any]] = None) -> None:
        """Learns the length of the run."""
        if getattr(self.model, "steps_per_execution", 1) > 1:
            raise cyclr.CyclrError(
                f"steps_per_execution = {self.model.steps_per_execution}: the rate could not be set for each of those "
                "updates; compile the model with 1"
            )
        updates = self.updates
        if updates is None and self.params.get("steps"):
            accumulated = self.model.optimizer.gradient_accumulation_steps or 1
            updates = self.params["epochs"] * self.params["steps"] // accumulated
        self._schedule = cyclr.Schedule(self.spec, updates=updates, examples=self.examples, batch=self.batch)
        if self._schedule.at(0).momentum is not None:
            raise cyclr.CyclrError(
                "the spec moves momentum, which Keras compiles into the step: leave it out of the spec"
            )

    def on_train_batch_begin(self, batch: int, logs: Optional[dict[str, Any]] = None) -> None:
        """Sets what the next update uses."""
        if keras.backend.backend() == "jax":
            # The rate and the count are a part of the state that JAX threads through the steps.
            self.model.jax_state_sync()
        optimizer = self.model.optimizer
        optimizer.learning_rate = self._schedule.at(int(optimizer.iterations)).lr
