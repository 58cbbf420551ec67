"""The running average of a model's weights (SWA; Izmailov et al. 2018)."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Callable, Optional

import torch

from cyclr.torch._order import State
from cyclr.torch._state import capture_model, restore_model


class Average:
    """The mean of the weights at some points of a training, with norm statistics of its own."""

    def __init__(self, model: torch.nn.Module) -> None:
        self._model = model
        self.taken = 0
        self._means: list[torch.Tensor] = []
        self._norms: Optional[list[list[torch.Tensor]]] = None

    @torch.no_grad()
    def take(self) -> None:
        """Takes one more point: the weights as they stand."""
        weights = [weight.detach() for weight in self._model.parameters()]
        self.taken += 1
        self._norms = None
        if self.taken == 1:
            self._means = [weight.clone() for weight in weights]
        for mean, weight in zip(self._means, weights):
            mean += (weight - mean) / self.taken

    @contextmanager
    def in_place(self, see_training_data: Callable[[], None]) -> Iterator[None]:
        """The model, in the mode of evaluation, with the averaged weights; afterwards as before.

        Norm statistics become those of the training data, which ``see_training_data`` passes through the model: the
        mean over batches, as by ``torch.optim.swa_utils.update_bn``, but without dropout.
        """
        before = capture_model(self._model)
        try:
            with torch.no_grad():
                for weight, mean in zip(self._model.parameters(), self._means):
                    weight.copy_(mean)
                self._set_norms(see_training_data)
            yield
        finally:
            restore_model(self._model, before)

    def state(self) -> State:
        return {"taken": self.taken, "means": self._means, "norms": self._norms}

    def restore(self, state: State) -> None:
        here = [weight.device for weight in self._model.parameters()]
        self.taken = state["taken"]
        self._means = [mean.to(device, copy=True) for mean, device in zip(state["means"], here)]
        self._norms = state["norms"]

    def _set_norms(self, see_training_data: Callable[[], None]) -> None:
        norms = norms_of(self._model)
        if self._norms is not None:
            for norm, values in zip(norms, self._norms):
                for buffer, value in zip(_statistics(norm), values):
                    buffer.copy_(value)
            return
        momenta = [norm.momentum for norm in norms]
        try:
            for norm in norms:
                norm.reset_running_stats()
                # Without a momentum torch takes the mean of all batches.
                norm.momentum = None
                norm.training = True
            if norms:
                see_training_data()
        finally:
            for norm, momentum in zip(norms, momenta):
                norm.momentum = momentum
                norm.training = False
        self._norms = [[buffer.clone() for buffer in _statistics(norm)] for norm in norms]


def norms_of(model: torch.nn.Module) -> list[Any]:
    """The modules whose running statistics are used in evaluation."""
    kind = torch.nn.modules.batchnorm._BatchNorm
    return [module for module in model.modules() if isinstance(module, kind) and module.track_running_stats]


def one_pass(loader: Any) -> Iterator[Any]:
    """The batches of a pass over a loader, while another pass over it may be under way."""
    if getattr(loader, "_iterator", None) is not None:
        # Persistent workers have one pass at a time.
        loader = copy.copy(loader)
        loader._iterator = None
    return iter(loader)


def _statistics(norm: Any) -> list[torch.Tensor]:
    return [norm.running_mean, norm.running_var]
