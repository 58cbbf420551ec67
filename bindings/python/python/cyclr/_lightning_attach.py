"""A Lightning trainer under cyclr."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Optional

import torch

from cyclr._begun import Begun, begun_before
from cyclr._cyclr import CyclrError
from cyclr._loop import MANY_EPOCHS, examples_in
from cyclr._measured import Declared, objective_of
from cyclr._requests import is_driven
from cyclr._trainer import Split, TrainerInfo
from cyclr.torch._attached import Attached
from cyclr.torch._begun import begun_or_begin
from cyclr.torch._checksum import checksum_of
from cyclr.torch._distributed import rank, world_size
from cyclr.torch._examples import given, loader_size
from cyclr.torch._groups import Groups, refuse_closures
from cyclr.torch._held_out import splits

try:
    from lightning.pytorch import Callback, callbacks
except ImportError:
    from pytorch_lightning import Callback, callbacks  # type: ignore

# What saves or ends a run by itself, or averages the weights at its end.
_LEFT_OUT = (callbacks.Checkpoint, callbacks.EarlyStopping, callbacks.StochasticWeightAveraging)
# It puts its average in place for a validation. Versions before 2.6 lack it.
_AVERAGING: Any = getattr(callbacks, "WeightAveraging", ())


class Attach(Callback):
    """Attaches a trainer to the cyclr that started the script; alone, does nothing.

    The module stays as it is: ``training_step`` trains, ``validation_step`` measures, by what it
    gives to ``self.log``, at the average of a ``WeightAveraging`` if there is one. ``fit`` makes as
    many updates as are asked for, without checkpoints, early stopping, schedulers, stochastic
    weight averaging and validation of its own; what comes after it does not run. The weights
    follow the run's seed if `cyclr.torch.begin` was called before the model was made; else they
    are given. A run that is stopped starts over.

    Args:
        validation: The loader of the split that decides. If it is not given, the trainer's own.
        test: The loader of the split that is read once. If it is not given, the other is halved.
        objective: What decides, by the name that ``validation_step`` logs, as in ``("val_acc",
            "higher")``. If it is not given, ``val_loss``.
        data_checksum: A text that changes if the data do, such as a checksum of their files. A
            comparison goes on only with the data that it was begun with. If it is not
            given, that of the integers (as labels are) in a `TensorDataset`, or else of which examples
            are held out.
    """

    def __init__(
        self,
        *,
        validation: Any = None,
        test: Any = None,
        objective: Optional[Declared] = None,
        data_checksum: Optional[str] = None,
    ) -> None:
        self._given, self._data_checksum = (validation, test), data_checksum
        self._objective = objective_of(objective)
        self._begun: Optional[Begun] = None
        self._follows = False
        self._attached: Optional[Attached] = None
        self._tried = False
        if is_driven() or begun_before():
            self._begun, self._follows = begun_or_begin()

    def setup(self, trainer: Any, pl_module: Any, stage: str) -> None:
        """Makes the trainer go on as long as it takes."""
        if not self._is_on(stage):
            return
        trainer.fit_loop.max_epochs, trainer.fit_loop.epoch_loop.max_steps = MANY_EPOCHS, -1
        trainer.limit_val_batches = 0
        _say_unmeasured(trainer.callbacks)
        trainer.callbacks = [one for one in trainer.callbacks if not isinstance(one, _LEFT_OUT)]

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Learns what is trained."""
        if not self._is_on("fit"):
            return
        begun = self._begun
        assert begun is not None
        if pl_module.automatic_optimization:
            # Their rates would be overridden, and some need the validation that is left out.
            for config in trainer.strategy.lr_scheduler_configs:
                _say_still(config.scheduler)
            trainer.strategy.lr_scheduler_configs = []
        for optimizer in trainer.optimizers:
            refuse_closures(optimizer)
        # Lightning wraps them for a strategy at most.
        optimizers = [getattr(one, "optimizer", one) for one in trainer.optimizers]
        groups = Groups(optimizers)
        validation, test = self._given
        if validation is None:
            validation = _validation_of(trainer)
        loader = trainer.train_dataloader
        held_out, counts = splits(loader, validation, test, begun.run.data_seed, say=rank() == 0)
        size = loader_size(loader) * trainer.accumulate_grad_batches * world_size()
        info = TrainerInfo(
            examples=given(loader, loader_size(loader)) * world_size(),
            batch=size,
            validation=counts["validation"],
            test=counts["test"],
            momentum=groups.have_momentum,
            weight_decay=groups.have_weight_decay,
            given_weights=not self._follows,
            objective=self._objective,
            data_checksum=checksum_of(loader, held_out) if self._data_checksum is None else self._data_checksum,
        )

        def measure(split: Split) -> dict[str, float]:
            return _measured(trainer, pl_module, held_out[split], self._objective.name if self._objective else None)

        self._attached = Attached(begun, info, groups, measure, [pl_module], optimizers, None, None, held_out)

    def on_before_optimizer_step(self, trainer: Any, pl_module: Any, optimizer: Any) -> None:
        """Notes that there will be a step, which AMP may still skip."""
        self._tried = True

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
        """Counts the update, if the batch before ended one: what the module and callbacks did after it is a part of it."""
        if self._attached is not None and self._tried:
            self._tried = False
            self._attached.step()

    def _is_on(self, stage: str) -> bool:
        return stage == "fit" and self._begun is not None and self._begun.requests is not None


def _say_unmeasured(given: Any) -> None:
    """Says which callbacks do something about an average of the weights that no evaluation sees."""
    for one in given if rank() == 0 else ():
        name = type(one).__name__
        if isinstance(one, callbacks.StochasticWeightAveraging):
            print(f"cyclr: {name} is left out, as its average is made at the end of fit", file=sys.stderr)
        elif _changes_validation(one):
            told = "if it puts other weights in place there, they are not what is measured"
            print(f"cyclr: what {name} does before a validation is not called: {told}", file=sys.stderr)


def _changes_validation(callback: Any) -> bool:
    """Whether a callback that is not Lightning's or ours does something before a validation."""
    if isinstance(callback, _AVERAGING) or type(callback).__module__.split(".")[0] in _LIBRARIES:
        return False
    names = ("on_validation_start", "on_validation_epoch_start")
    return any(getattr(type(callback), name) is not getattr(Callback, name) for name in names)


_LIBRARIES = ("cyclr", "lightning", "pytorch_lightning")


def _say_still(scheduler: Any) -> None:
    """Says that a scheduler moves no momentum, as it is not stepped."""
    if rank() == 0 and getattr(scheduler, "cycle_momentum", False):
        group = scheduler.optimizer.param_groups[0]
        momentum = group["betas"][0] if "betas" in group else group["momentum"]
        print(
            f"cyclr: the module's {type(scheduler).__name__} is not stepped: momentum stays at {momentum:g}, unless the policy "
            "moves it (cycle_momentum=False leaves the optimizer's own)",
            file=sys.stderr,
        )


def _validation_of(trainer: Any) -> Any:
    source = trainer.fit_loop.epoch_loop.val_loop._data_source
    loaders = source.dataloader() if source.instance is not None and source.is_defined() else None
    if isinstance(loaders, (list, tuple)) and len(loaders) == 1 and hasattr(loaders[0], "dataset"):
        return loaders[0]
    if isinstance(loaders, (list, tuple)) and loaders and hasattr(loaders[0], "dataset"):
        raise CyclrError(
            f"there are {len(loaders)} validation loaders: give Attach(validation=...) the one that decides"
        )
    return loaders


def _measured(trainer: Any, module: Any, loader: Any, objective: Optional[str]) -> dict[str, float]:
    """What ``validation_step`` logs over a loader: means by the examples, and the metrics that count by themselves."""
    logged = _Logged()
    module.log = logged.log
    try:
        module.on_validation_start()
        with _averages(trainer, module):
            module.on_validation_epoch_start()
            for place, batch in enumerate(loader):
                batch = trainer.strategy.batch_to_device(batch, dataloader_idx=0)
                logged.examples = examples_in(batch)
                module.on_validation_batch_start(batch, place)
                with trainer.precision_plugin.val_step_context():
                    outputs = module.validation_step(batch, place)
                module.on_validation_batch_end(outputs, batch, place)
        module.on_validation_epoch_end()
        module.on_validation_end()
    finally:
        del module.log
    shown = logged.shown()
    names = {"loss": "loss", "val_loss": "loss"}
    if objective is not None:
        names[objective] = objective
    figures = {names[name]: value for name, value in shown.items() if name in names}
    if not figures:
        raise CyclrError(
            f"validation_step logs {sorted(shown)}: log `val_loss`, or say which decides, with objective=(name, 'higher')"
        )
    return figures


@contextmanager
def _averages(trainer: Any, module: Any) -> Iterator[None]:
    """The averages of the weights in place of these, as Lightning measures them."""
    averaging = [one for one in trainer.callbacks if isinstance(one, _AVERAGING)]
    for one in averaging:
        one.on_validation_epoch_start(trainer, module)
    try:
        yield
    finally:
        for one in averaging:
            one.on_validation_epoch_end(trainer, module)


class _Logged:
    """What a module logs in a validation, reduced as Lightning does it.

    Attributes:
        examples: Those of the present batch.
    """

    def __init__(self) -> None:
        self._values: dict[str, list[tuple[Any, int]]] = {}
        self._reduce: dict[str, str] = {}
        self._own: dict[str, Any] = {}
        self.examples = 0

    def log(
        self,
        name: str,
        value: Any,
        prog_bar: bool = False,
        logger: Any = None,
        on_step: Any = None,
        on_epoch: Any = None,
        reduce_fx: Any = "mean",
        *_args: Any,
        batch_size: Optional[int] = None,
        **_kwargs: Any,
    ) -> None:
        """Stands for the module's own ``log``."""
        if hasattr(value, "compute"):
            self._own[name] = value
            return
        reduce = getattr(reduce_fx, "__name__", str(reduce_fx)).lower().replace("avg", "mean")
        if reduce not in ("mean", "sum", "max", "min"):
            raise CyclrError(
                f"{name!r} is logged with reduce_fx={reduce_fx!r}: give mean, sum, max or min, or log a Metric"
            )
        self._reduce[name] = reduce
        values = self._values.setdefault(name, [])
        values.append((torch.as_tensor(value).detach().double(), batch_size or self.examples or 1))

    def shown(self) -> dict[str, float]:
        """The figures by name; the metrics that count by themselves are reset."""
        shown = {name: self._reduced(name) for name in self._values}
        for name, metric in self._own.items():
            shown[name] = float(metric.compute())
            metric.reset()
        return shown

    def _reduced(self, name: str) -> float:
        values = torch.stack([value.reshape(()) for value, _ in self._values[name]])
        if self._reduce[name] != "mean":
            return float(getattr(torch, self._reduce[name])(values))
        counts = torch.tensor([count for _, count in self._values[name]], device=values.device)
        return float((values * counts).sum() / counts.sum())
