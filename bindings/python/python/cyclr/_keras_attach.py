"""A Keras model's ``fit`` under cyclr, on any backend."""

from __future__ import annotations

import functools
import inspect
import sys
from typing import Any, Optional

import keras

from cyclr import _attached
from cyclr._begun import Begun, begin_by, begun_before, begun_last
from cyclr._cyclr import CyclrError
from cyclr._loop import MANY_EPOCHS
from cyclr._measured import Declared, objective_of
from cyclr._requests import Requests, is_driven, open_pipes
from cyclr._trainer import Run, Split, TrainerInfo


def begin(seed: int = 0) -> Run:
    """Says which run this is, and seeds Keras, its backend, NumPy and Python. Call it before the model is made.

    Under ``cyclr`` the seed is the run's, alone it is ``seed``.
    """
    begun = begin_by(lambda: Requests(open_pipes()), seed)
    keras.utils.set_random_seed(begun.run.seed % 2**32)
    return begun.run


class Attach(keras.callbacks.Callback):  # type: ignore[misc]
    """Attaches ``fit`` to the cyclr that started the script; alone, does nothing. One of ``fit``'s ``callbacks``.

    ``fit`` makes as many updates as are asked for and measures its ``validation_data`` when it is
    asked to; what comes after it does not run. The weights follow the run's seed if `begin` was
    called before the model was made; else they are given. A run that is stopped starts over.

    Args:
        test: The data that are read once, as ``validation_data`` are given. Without them, those
            are halved.
        objective: What decides, by the name of a compiled metric, as in ``("accuracy",
            "higher")``; else the loss.
        examples: The training examples, if ``x`` is no array.
        batch: The examples of an update, if ``x`` is no array.
        data_checksum: A text that changes if the data do, such as a checksum of their files. A
            comparison goes on only with the data that it was begun with.
    """

    def __init__(
        self,
        *,
        test: Any = None,
        objective: Optional[Declared] = None,
        examples: Optional[int] = None,
        batch: Optional[int] = None,
        data_checksum: Optional[str] = None,
    ) -> None:
        super().__init__()
        self._data_checksum = data_checksum
        self._test, self._objective, self._counts = test, objective_of(objective), (examples, batch)
        self._fit: dict[str, Any] = {}
        self._losses: list[Any] = []
        self._attached: Optional[_attached.Attached] = None
        self._begun: Optional[Begun] = None
        self._follows = begun_before()
        if not self._follows and is_driven():
            begin()
        if begun_before() and begun_last().requests is not None:
            self._begun = begun_last()

    def on_train_begin(self, logs: Optional[dict[str, Any]] = None) -> None:
        """Learns what is trained."""
        if self._begun is None:
            return
        if getattr(self.model, "steps_per_execution", 1) > 1:
            raise CyclrError(
                f"steps_per_execution = {self.model.steps_per_execution}: the rate could not be set for each of those "
                "updates; compile the model with 1"
            )
        if self._fit.get("validation_split"):
            raise CyclrError(
                f"validation_split = {self._fit['validation_split']}: cut the data before fit, and give it validation_data"
            )
        if getattr(_inner(self.model.optimizer), "use_ema", False):
            print("cyclr: use_ema: what is measured are the weights, and not their average", file=sys.stderr)
        self._accumulate = accumulated(self.model.optimizer)
        self._updates = int(self.model.optimizer.iterations)
        held_out = self._splits()
        examples, batch = self._found_counts()
        info = TrainerInfo(
            examples=examples,
            batch=batch,
            validation=_count(held_out["validation"]),
            test=_count(held_out["test"]),
            given_weights=not self._follows,
            objective=self._objective,
            data_checksum=self._data_checksum,
        )

        def measure(split: Split) -> dict[str, float]:
            return self._measured(held_out[split])

        self._attached = _attached.Attached(self._begun, info, lambda hyper: self._set(hyper.lr), measure)
        self._attached._hear()

    def on_train_batch_begin(self, batch: int, logs: Optional[dict[str, Any]] = None) -> None:
        """Lets the metrics show this batch alone, and sets the rate over what other callbacks did."""
        if self._attached is not None and self._attached.loop is not None:
            self._sync()
            self.model.reset_metrics()
            self._set(self._attached.loop.hyper.lr)

    def on_train_batch_end(self, batch: int, logs: Optional[dict[str, Any]] = None) -> None:
        """Counts the update, if the batch ended one; one that is skipped for its gradients is none."""
        if self._attached is None or self._attached.loop is None:
            return
        self._losses.append(float((logs or {})["loss"]))
        if len(self._losses) < self._accumulate:
            return
        self._sync()
        loss: Any = sum(self._losses[-self._accumulate :]) / self._accumulate
        updates, self._updates = self._updates, int(self.model.optimizer.iterations)
        if self._updates == updates:
            loss = self._attached.loop.skipped(loss)
        if loss is not None:
            self._losses = []
            self._attached.step(loss=loss)

    def _set(self, lr: float) -> None:
        self._sync()
        try:
            self.model.optimizer.learning_rate = lr
        except TypeError as error:
            raise CyclrError(f"the optimizer's rate cannot be set ({error}): compile the model with a number") from None

    def _sync(self) -> None:
        if keras.backend.backend() == "jax":
            # The rate and the metrics are a part of the state that JAX threads through the steps.
            self.model.jax_state_sync()

    def _found_counts(self) -> tuple[int, int]:
        examples, batch = self._counts
        x: Any = self._fit.get("x")
        if examples is None:
            if not hasattr(x, "shape"):
                raise CyclrError(f"x is a {type(x).__name__} and not an array: give Attach(examples=..., batch=...)")
            examples = int(x.shape[0])
        return examples, batch or (self._fit.get("batch_size") or 32) * self._accumulate

    def _splits(self) -> dict[str, Any]:
        data, test = self._fit.get("validation_data"), self._test
        for name, held_out in (("validation", data), ("test", test)):
            if held_out is not None and _first_part(held_out) is self._fit.get("x"):
                raise CyclrError(
                    f"train and {name} are the same data: what decides or is reported must not be trained on; hold examples out"
                )
        if data is None or (test is not None and test is not data):
            return {"validation": data, "test": test}
        if not isinstance(data, (tuple, list)) or not hasattr(data[0], "shape"):
            raise CyclrError("validation_data are no arrays, and cannot be halved: give Attach(test=...) too")
        import numpy as np

        assert self._begun is not None
        order = np.random.default_rng(self._begun.run.data_seed).permutation(len(data[0]))
        middle = (len(order) + 1) // 2
        places = {"validation": np.sort(order[:middle]), "test": np.sort(order[middle:])}
        told = " and ".join(f"{len(chosen)} are {name}" for name, chosen in places.items())
        print(f"cyclr: there is one held-out split of {len(order)} examples: {told}", file=sys.stderr)
        return {name: tuple(part[chosen] for part in data) for name, chosen in places.items()}

    def _measured(self, data: Any) -> dict[str, float]:
        generators = _torch_random() if keras.backend.backend() == "torch" else None
        parts = data if isinstance(data, (tuple, list)) else (data,)
        arguments = dict(zip(("x", "y", "sample_weight"), parts))
        try:
            shown = self.model.evaluate(**arguments, verbose=0, return_dict=True)
        finally:
            if generators is not None:
                _set_torch_random(generators)
                self.model.train()
        wanted = {"loss"} | ({self._objective.name} if self._objective else set())
        return {name: float(value) for name, value in shown.items() if name in wanted}


def accumulated(optimizer: Any) -> int:
    """The batches of an update."""
    return _inner(optimizer).gradient_accumulation_steps or 1


def _inner(optimizer: Any) -> Any:
    """The optimizer, or the one that it holds for mixed precision."""
    return getattr(optimizer, "inner_optimizer", optimizer)


def _count(data: Any) -> int:
    return 0 if data is None else len(_first_part(data))


def _first_part(data: Any) -> Any:
    """The inputs, if targets are given beside them."""
    return data[0] if isinstance(data, (tuple, list)) else data


def _goes_on(fit: Any) -> Any:
    """A ``fit`` that goes on as long as it takes, if an `Attach` that is driven is among its callbacks."""
    signature = inspect.signature(fit)

    @functools.wraps(fit)
    def going_on(*args: Any, **kwargs: Any) -> Any:
        bound = signature.bind(*args, **kwargs)
        callbacks = bound.arguments.get("callbacks") or []
        for one in callbacks if isinstance(callbacks, (list, tuple)) else [callbacks]:
            if isinstance(one, Attach) and one._begun is not None:
                one._fit = dict(bound.arguments)
                bound.arguments.pop("validation_data", None)
                bound.arguments["epochs"] = MANY_EPOCHS
        return fit(*bound.args, **bound.kwargs)

    return going_on


# An `Attach` is made while the arguments of `fit` are: by then it is too late.
keras.Model.fit = _goes_on(keras.Model.fit)


def _torch_random() -> Any:
    from cyclr.torch._state import capture_random

    return capture_random()


def _set_torch_random(state: Any) -> None:
    from cyclr.torch._state import restore_random

    restore_random(state)
