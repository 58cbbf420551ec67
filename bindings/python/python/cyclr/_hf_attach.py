"""A Hugging Face trainer under cyclr."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any, Optional

import torch
from transformers import EarlyStoppingCallback, TrainerCallback, set_seed

from cyclr._begun import begun_before
from cyclr._cyclr import CyclrError
from cyclr._measured import Declared, objective_of
from cyclr._requests import is_driven
from cyclr._trainer import Objective, Split, TrainerInfo
from cyclr.torch._attached import Attached
from cyclr.torch._begun import begun_or_begin
from cyclr.torch._distributed import rank
from cyclr.torch._groups import Groups, refuse_closures
from cyclr.torch._held_out import check_apart, halves_of, say_halved

ENDLESS = 10**9


def attach(
    trainer: Any,
    *,
    test: Any = None,
    objective: Optional[Declared] = None,
    examples: Optional[int] = None,
    data_checksum: Optional[str] = None,
) -> None:
    """Attaches a trainer to the cyclr that started the script; alone, does nothing. Call it before ``trainer.train()``.

    The run's seed becomes ``args.seed``. The weights follow it if there is a ``model_init``, or if
    `cyclr.torch.begin` was called before the model was made; else they are given. The trainer
    makes as many updates as are asked for, saves nothing, does not stop early, and evaluates when
    it is asked to; what comes after ``train()`` does not run. A run that is stopped starts over.

    Args:
        trainer: A `transformers.Trainer`, or one like it. Its ``eval_dataset`` decides.
        test: The data that are read once. Without them, the ``eval_dataset`` is halved.
        objective: What decides, as in ``("accuracy", "higher")``: a name that ``compute_metrics``
            returns, or ``"loss"``. If it is not given, ``args.metric_for_best_model``, or the
            loss.
        examples: The training examples, if the ``train_dataset`` has no length.
        data_checksum: A text that changes if the data do, such as a checksum of their files. A
            comparison goes on only with the data that it was begun with.

    Raises:
        CyclrError: The trainer has an optimizer that measures the loss several times, or the number
            of training examples is not known.
    """
    if not is_driven() and not begun_before():
        return
    begun, was_begun = begun_or_begin()
    if begun.requests is None:
        return
    seed, args = begun.run.seed, trainer.args
    args.seed, args.data_seed = seed % 2**32, None
    set_seed(args.seed)
    args.max_steps = ENDLESS
    args.eval_strategy = args.save_strategy = "no"
    args.load_best_model_at_end = args.eval_on_start = False
    trainer.remove_callback(EarlyStoppingCallback)
    follows = was_begun or trainer.model_init is not None
    info = TrainerInfo(
        examples=_examples(trainer) if examples is None else examples,
        batch=args.train_batch_size * args.gradient_accumulation_steps * args.world_size,
        given_weights=not follows,
        objective=objective_of(objective) or _best(args),
        data_checksum=data_checksum,
    )
    trainer.add_callback(_Attach(trainer, begun, test, info))


def _examples(trainer: Any) -> int:
    data = trainer.train_dataset
    if not hasattr(data, "__len__"):
        raise CyclrError(f"the train_dataset, a {type(data).__name__}, has no length: give attach(examples=...)")
    return len(data)


def _best(args: Any) -> Optional[Objective]:
    """What the trainer's own arguments say is best."""
    if args.metric_for_best_model is None:
        return None
    name = args.metric_for_best_model.removeprefix("eval_")
    return objective_of((name, "higher" if args.greater_is_better else "lower"))


class _Attach(TrainerCallback):  # type: ignore[misc]
    """Hears before an update and tells after it."""

    def __init__(self, trainer: Any, begun: Any, test: Any, info: TrainerInfo) -> None:
        self._trainer, self._begun, self._test, self._info = trainer, begun, test, info
        self._loss: Any = None
        step = trainer.training_step

        def noted(*args: Any, **kwargs: Any) -> torch.Tensor:
            # What it returns sums up to the update's mean, however the trainer divides.
            loss = step(*args, **kwargs)
            self._loss = loss if self._loss is None else self._loss + loss
            return loss  # type: ignore[no-any-return]

        trainer.training_step = noted

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Learns what is trained."""
        optimizer = kwargs["optimizer"]
        optimizer = getattr(optimizer, "optimizer", optimizer)
        refuse_closures(optimizer)
        groups, trainer = Groups([optimizer]), self._trainer
        held_out = self._splits()
        info = replace(
            self._info,
            validation=_count(held_out["validation"]),
            test=_count(held_out["test"]),
            momentum=groups.have_momentum,
            weight_decay=groups.have_weight_decay,
        )
        self._attached = Attached(
            self._begun, info, groups, self._measure, [trainer.model], [optimizer], None, None, held_out
        )

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Tells the update's own loss."""
        loss, self._loss = self._loss, None
        self._attached.step(loss=loss)

    def _splits(self) -> dict[str, Any]:
        data, test = self._trainer.eval_dataset, self._test
        if isinstance(data, dict):
            raise CyclrError(f"eval_dataset has {list(data)}: give the trainer the one that decides")
        for name, held_out in (("validation", data), ("test", test)):
            check_apart("train", self._trainer.train_dataset, name, held_out, say=rank() == 0)
        if data is None or (test is not None and test is not data):
            return {"validation": data, "test": test}
        halves = dict(zip(("validation", "test"), halves_of(data, self._begun.run.data_seed)))
        if rank() == 0:
            say_halved({name: len(half) for name, half in halves.items()})
        return halves

    def _measure(self, split: Split) -> dict[str, float]:
        measured = self._trainer.evaluate(eval_dataset=self._attached.held_out[split])
        figures = {name.removeprefix("eval_"): value for name, value in measured.items()}
        objective = self._info.objective
        wanted = {"loss"} | ({objective.name} if objective else set())
        sys.stdout.flush()
        return {name: value for name, value in figures.items() if name in wanted}


def _count(data: Any) -> int:
    return 0 if data is None else len(data)
