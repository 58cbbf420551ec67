"""A Lightning trainer under cyclr."""

from __future__ import annotations

from typing import Any, Optional

import torch

from cyclr._begun import Begun, begun_before
from cyclr._cyclr import CyclrError
from cyclr._loop import MANY_EPOCHS, examples_in
from cyclr._measured import Declared, objective_of
from cyclr._requests import is_driven
from cyclr._trainer import Split, TrainerInfo
from cyclr.torch._attach import Attached
from cyclr.torch._begun import begun_or_begin
from cyclr.torch._checksum import checksum_of
from cyclr.torch._distributed import rank, world_size
from cyclr.torch._examples import given, loader_size
from cyclr.torch._groups import Groups, refuse_closures
from cyclr.torch._held_out import splits

try:
    from lightning.pytorch import Callback
    from lightning.pytorch.callbacks import Checkpoint, EarlyStopping
except ImportError:
    from pytorch_lightning import Callback  # type: ignore
    from pytorch_lightning.callbacks import Checkpoint, EarlyStopping  # type: ignore


class Attach(Callback):
    """Attaches a trainer to the cyclr that started the script; alone, does nothing.

    The module stays as it is: ``training_step`` trains, ``validation_step`` measures, by what it
    gives to ``self.log``. ``fit`` makes as many updates as are asked for, without checkpoints,
    early stopping, schedulers and validation of its own; what comes after it does not run. The weights follow
    the run's seed if `cyclr.torch.begin` was called before the model was made; else they are
    given. A run that is stopped starts over.

    Args:
        validation: The loader of the split that decides. If it is not given, the trainer's own.
        test: The loader of the split that is read once. If it is not given, the other is halved.
        objective: What decides, by the name that ``validation_step`` logs, as in ``("val_acc",
            "higher")``. If it is not given, ``val_loss``.
        data_checksum: A text that changes if the data do, such as a checksum of their files. A
            comparison goes on only with the data that it was begun with. If it is not
            given, that of the integers (as labels are) in a `TensorDataset`.
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
        trainer.callbacks = [one for one in trainer.callbacks if not isinstance(one, (Checkpoint, EarlyStopping))]

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Learns what is trained."""
        if not self._is_on("fit"):
            return
        begun = self._begun
        assert begun is not None
        if pl_module.automatic_optimization:
            # Their rates would be overridden, and some need the validation that is left out.
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

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Counts the update, if the batch ended one."""
        if self._attached is not None and self._tried:
            self._tried = False
            self._attached.step()

    def _is_on(self, stage: str) -> bool:
        return stage == "fit" and self._begun is not None and self._begun.requests is not None


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
    sums: dict[str, Any] = {}
    own: dict[str, Any] = {}
    examples = 0

    def log(name: str, value: Any, *_args: Any, batch_size: Optional[int] = None, **_kwargs: Any) -> None:
        if hasattr(value, "compute"):
            own[name] = value
            return
        count = batch_size or examples or 1
        total, counted = sums.get(name, (0.0, 0))
        sums[name] = (total + torch.as_tensor(value).detach().double() * count, counted + count)

    module.log = log
    try:
        module.on_validation_start()
        module.on_validation_epoch_start()
        for place, batch in enumerate(loader):
            batch = trainer.strategy.batch_to_device(batch, dataloader_idx=0)
            examples = examples_in(batch)
            module.on_validation_batch_start(batch, place)
            with trainer.precision_plugin.val_step_context():
                outputs = module.validation_step(batch, place)
            module.on_validation_batch_end(outputs, batch, place)
        module.on_validation_epoch_end()
        module.on_validation_end()
    finally:
        del module.log
    shown = {name: float(total) / count for name, (total, count) in sums.items()}
    for name, metric in own.items():
        shown[name] = float(metric.compute())
        metric.reset()
    names = {"loss": "loss", "val_loss": "loss"}
    if objective is not None:
        names[objective] = objective
    figures = {names[name]: value for name, value in shown.items() if name in names}
    if not figures:
        raise CyclrError(
            f"validation_step logs {sorted(shown)}: log `val_loss`, or say which decides, with objective=(name, 'higher')"
        )
    return figures
