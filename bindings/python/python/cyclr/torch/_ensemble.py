"""The average of the predictions of a model's last snapshots (Huang et al. 2017)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from cyclr.torch._batches import Forward, scores


class Ensemble:
    """The last models of a training at some points, with the norm statistics that they had there."""

    def __init__(self, model: torch.nn.Module) -> None:
        self._model = model
        self._models: list[dict[str, torch.Tensor]] = []

    def __len__(self) -> int:
        return len(self._models)

    def take(self, last: int) -> None:
        """Takes the model as it is, and drops the oldest if there are too many."""
        self._models.append({name: tensor.detach().clone() for name, tensor in self._tensors().items()})
        del self._models[:-last]

    @contextmanager
    def in_place(self, forward: Forward) -> Iterator[None]:
        """The forward pass, with the ensemble in place of the model; afterwards as before."""
        model = forward.model
        forward.model = _Voting(self._model, self._models)
        try:
            yield
        finally:
            forward.model = model

    def state(self) -> list[dict[str, torch.Tensor]]:
        return self._models

    def restore(self, state: list[dict[str, torch.Tensor]]) -> None:
        here = {name: tensor.device for name, tensor in self._tensors().items()}
        self._models = [{name: value.to(here[name], copy=True) for name, value in one.items()} for one in state]

    def _tensors(self) -> dict[str, torch.Tensor]:
        return {**dict(self._model.named_parameters()), **dict(self._model.named_buffers())}


def can_average(loss_fn: Any) -> bool:
    """Whether the outputs are known to be scores of classes, whose probabilities can be averaged."""
    functional = torch.nn.functional
    by_name = loss_fn is functional.cross_entropy or loss_fn is functional.nll_loss
    return by_name or isinstance(loss_fn, (torch.nn.CrossEntropyLoss, torch.nn.NLLLoss))


class _Voting(torch.nn.Module):
    """Gives the logarithms of the mean probabilities, which are scores of classes too."""

    def __init__(self, model: torch.nn.Module, models: list[dict[str, torch.Tensor]]) -> None:
        super().__init__()
        # In a list, so that it does not become a part of this module.
        self._kept = [model]
        self._models = models
        self.forward = model.forward

    def __call__(self, *arguments: Any, **named: Any) -> torch.Tensor:
        each = [torch.func.functional_call(self._kept[0], one, arguments, named) for one in self._models]
        logarithms = torch.stack([torch.log_softmax(scores(outputs), dim=1) for outputs in each])
        return torch.logsumexp(logarithms, dim=0) - math.log(len(each))
