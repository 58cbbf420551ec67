"""A schedule for a Keras model, and `begin` and `Attach`, which put its ``fit`` under cyclr."""

from __future__ import annotations

from typing import Any, Optional, Union

import keras

import cyclr
from cyclr._cyclr import Spec
from cyclr._keras_attach import Attach, accumulated, begin
from cyclr._past import Continued

__all__ = ["Attach", "CyclrCallback", "begin"]


class CyclrCallback(keras.callbacks.Callback):  # type: ignore[misc]
    """Sets the rate of every update from a spec, with any backend.

    Resuming needs nothing: the rate is a function of the optimizer's ``iterations``, which a saved
    model keeps, and which counts updates, not batches, under gradient accumulation. In a second
    ``fit``, where the count goes on, so does a policy that does not depend on the length of the
    run; any other is refused, unless ``updates`` are those of all ``fit``s or ``initial_epoch``
    says what has been trained. Updates past the end of the run are warned of.

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
            updates = self.params["epochs"] * self.params["steps"] // accumulated(self.model.optimizer)
        self._rates = Continued(self.spec, updates=updates, examples=self.examples, batch=self.batch)
        self._is_first_epoch = True
        if self._rates.schedule.at(0).momentum is not None:
            raise cyclr.CyclrError(
                "the spec moves momentum, which Keras compiles into the step: leave it out of the spec"
            )

    def on_epoch_begin(self, epoch: int, logs: Optional[dict[str, Any]] = None) -> None:
        """Refuses a second ``fit`` that the policy was not made for."""
        if self._is_first_epoch:
            self._is_first_epoch = False
            is_new_run = self.updates is None and epoch == 0
            self._rates.begin(int(self.model.optimizer.iterations), _ADVICE, is_new_run)

    def on_train_batch_begin(self, batch: int, logs: Optional[dict[str, Any]] = None) -> None:
        """Sets what the next update uses."""
        if keras.backend.backend() == "jax":
            # The rate and the count are a part of the state that JAX threads through the steps.
            self.model.jax_state_sync()
        optimizer = self.model.optimizer
        optimizer.learning_rate = self._rates.at(int(optimizer.iterations)).lr


_ADVICE = "give updates=… for all calls of fit together or initial_epoch=… to go on, or compile the model again to begin a new run"
