"""Batches: where they come from, and what a model makes of them."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any, Callable, Optional, Union

import torch

import cyclr
from cyclr.torch._order import State, capture_order, restore_order
from cyclr.torch._state import capture_random, restore_random

LossFn = Callable[[Any, Any], torch.Tensor]
Device = Union[torch.device, str]


class Forward:
    """A forward pass over a batch, as most scripts make it."""

    def __init__(
        self, model: torch.nn.Module, loss_fn: Optional[LossFn], autocast: AbstractContextManager[Any], device: Device
    ) -> None:
        self.model, self.loss_fn, self.autocast, self.device = model, loss_fn, autocast, device

    def __call__(self, batch: Any) -> tuple[torch.Tensor, Any, Any]:
        """The loss, the outputs that say the class (where they do), and the targets."""
        if isinstance(batch, Mapping):
            return self._of_mapping(moved(batch, self.device))
        if not isinstance(batch, (tuple, list)) or len(batch) != 2:
            raise cyclr.CyclrError(
                f"a batch is {_kind(batch)}: the loader must give pairs (inputs, targets), or mappings of the model's "
                "arguments with their `labels`; for others give step=..."
            )
        inputs, targets = moved(batch, self.device)
        with self.autocast:
            outputs = self.model(inputs)
            return self._loss(outputs, targets), scores(outputs), targets

    def _of_mapping(self, batch: dict[str, Any]) -> tuple[torch.Tensor, Any, Any]:
        targets = batch.get("labels")
        if self.loss_fn is not None:
            if targets is None:
                raise cyclr.CyclrError(
                    f"a batch is {_kind(batch)}, which has no `labels` for the loss_fn: name the targets so, or give step=..."
                )
            batch = {key: value for key, value in batch.items() if key != "labels"}
        self._check_arguments(batch)
        with self.autocast:
            outputs = self.model(**batch)
            loss = self._loss(outputs, targets)
        # Where the targets are not told apart, the examples are counted by what the model is given.
        counted = targets if targets is not None else next(iter(batch.values()), None)
        return loss, scores(outputs) if targets is not None else None, counted

    def _loss(self, outputs: Any, targets: Any) -> torch.Tensor:
        if self.loss_fn is not None:
            return self.loss_fn(scores(outputs), targets)
        loss = outputs.get("loss") if isinstance(outputs, Mapping) else getattr(outputs, "loss", None)
        if loss is None:
            raise cyclr.CyclrError(
                f"there is neither a loss_fn nor a step, and the model's output, {_kind(outputs)}, holds no loss: "
                "give one of them"
            )
        return loss  # type: ignore[no-any-return]

    def _check_arguments(self, batch: dict[str, Any]) -> None:
        signature = inspect.signature(self.model.forward)
        try:
            signature.bind(**batch)
        except TypeError as error:
            raise cyclr.CyclrError(
                f"a batch is {_kind(batch)}, and the model takes {signature} ({error}): the loader must give pairs "
                "(inputs, targets), or mappings of the model's arguments with their `labels`; for others give step=..."
            ) from None


def scores(outputs: Any) -> Any:
    """What a loss_fn is given: of an output with several parts, as models of Hugging Face return, the logits."""
    if isinstance(outputs, torch.Tensor):
        return outputs
    logits = outputs.get("logits") if isinstance(outputs, Mapping) else getattr(outputs, "logits", None)
    return outputs if logits is None else logits


def _kind(value: Any) -> str:
    if isinstance(value, Mapping):
        return f"a mapping with {', '.join(map(str, value))}"
    if isinstance(value, (tuple, list)):
        return f"a {type(value).__name__} of {len(value)}"
    return f"a {type(value).__name__}"


def moved(value: Any, device: Device) -> Any:
    """A batch, or a part of one, on a device."""
    if isinstance(value, torch.Tensor):
        return value.to(device, non_blocking=True)
    if isinstance(value, Mapping):
        return {key: moved(inner, device) for key, inner in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(moved(inner, device) for inner in value))
    if isinstance(value, (list, tuple)):
        return type(value)(moved(inner, device) for inner in value)
    return value


class Batches:
    """The batches of a loader, pass after pass, with a place that can be gone back to."""

    def __init__(self, loader: Any) -> None:
        self.loader = loader
        self._iterator: Optional[Iterator[Any]] = None
        self._began: Optional[State] = None
        self._given = 0

    def __iter__(self) -> Batches:
        return self

    def __next__(self) -> Any:
        if self._iterator is None:
            self._begin()
        try:
            batch = next(self._iterator)  # type: ignore[arg-type]
        except StopIteration:
            self._begin()
            batch = next(self._iterator, None)  # type: ignore[arg-type]
            if batch is None:
                raise ValueError("the loader gives no batch") from None
        self._given += 1
        return batch

    def _begin(self) -> None:
        self._began = {"order": capture_order(self.loader), "random": capture_random()}
        self._iterator, self._given = iter(self.loader), 0

    def state(self) -> State:
        return {"began": self._began, "given": self._given}

    def restore(self, state: State) -> None:
        self._iterator, self._began, self._given = None, None, 0
        if state["began"] is None:
            return
        restore_order(self.loader, state["began"]["order"])
        restore_random(state["began"]["random"])
        for _ in range(state["given"]):
            next(self)
        if state["given"] == 0:
            self._begin()
