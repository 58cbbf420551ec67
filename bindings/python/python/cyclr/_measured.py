"""What an evaluation of the user's returned, as an `Evaluation`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Optional, Union

from cyclr._cyclr import CyclrError
from cyclr._trainer import Direction, Evaluation, Metric, Objective

Declared = Union[Objective, tuple[str, Direction]]


def objective_of(declared: Optional[Declared]) -> Optional[Objective]:
    """The objective that a pair names; an accuracy is a fraction, in points."""
    if declared is None or isinstance(declared, Objective):
        return declared
    name, direction = declared
    if direction not in ("higher", "lower"):
        raise ValueError(f"objective = {declared!r}: the second must be 'higher' or 'lower'")
    is_accuracy = name.split("_")[-1] in ("acc", "accuracy") and direction == "higher"
    return Objective(name, direction, "points" if is_accuracy else "own")


def evaluation_of(result: Any, objective: Optional[Objective], count: int) -> Evaluation:
    """An evaluation from a number (the objective's), a mapping of names to numbers, or a list of `Metric`.

    Raises:
        CyclrError: It has no figure, or not the one that decides.
    """
    if isinstance(result, Evaluation):
        metrics, correct = list(result.metrics), result.correct
    else:
        metrics, correct = _metrics(result, objective, count), None
    names = [metric.name for metric in metrics]
    if objective is not None and objective.name not in names:
        raise CyclrError(f"evaluate returned {names}, and the objective is `{objective.name}`: return that too")
    for metric in metrics:
        if objective is not None and metric.name == objective.name:
            _check(metric, objective)
    return Evaluation(metrics, correct)


def _metrics(result: Any, objective: Optional[Objective], count: int) -> list[Metric]:
    if result is None:
        raise CyclrError("evaluate returned nothing: return what it measured, as in {'loss': 0.7}")
    if isinstance(result, Mapping):
        return _of_mapping(result, objective, count)
    if isinstance(result, Sequence) and all(isinstance(one, Metric) for one in result):
        return list(result)
    if objective is None:
        raise CyclrError(
            f"evaluate returned {result!r}: say what it is, with objective=('accuracy', 'higher'), or return a mapping"
        )
    try:
        return [_metric(objective, float(result), count)]
    except TypeError:
        raise CyclrError(f"evaluate returned {result!r}: return a number, a mapping or a list of Metric") from None


def _of_mapping(result: Mapping[str, Any], objective: Optional[Objective], count: int) -> list[Metric]:
    count = _whole(result, "count") if "count" in result else count
    if "correct" in result and not 0 <= _whole(result, "correct") <= count:
        raise CyclrError(
            f"evaluate returned {_whole(result, 'correct')} correct of {count} examples: let it measure the split that it is "
            "given, or return the `count` of those that it measured"
        )
    metrics = []
    for name, value in result.items():
        if name == "loss":
            metrics.append(Metric.loss(float(value), count))
        elif name == "correct":
            metrics.append(Metric.accuracy(int(value), count))
        elif objective is not None and name == objective.name:
            metrics.append(_metric(objective, float(value), count))
        elif name != "count":
            raise CyclrError(
                f"`{name}` may be better if it is higher or if it is lower: name it as the objective, leave it out, or "
                f"return a list with cyclr.Metric({name!r}, value, count, direction)"
            )
    return metrics


def _whole(result: Mapping[str, Any], name: str) -> int:
    value = float(result[name])
    if value % 1 != 0:
        raise CyclrError(
            f"evaluate returned {value:g} for `{name}`, which counts examples: return a whole number; a fraction goes by "
            "another name, which objective=('accuracy', 'higher') declares"
        )
    return int(value)


def _metric(objective: Objective, value: float, count: int) -> Metric:
    return Metric(objective.name, value, count, objective.direction)


def _check(metric: Metric, objective: Objective) -> None:
    if metric.direction != objective.direction:
        raise CyclrError(
            f"`{metric.name}` is better if it is {metric.direction}, says evaluate, and {objective.direction}, says the "
            "objective: give both the same direction"
        )
    if objective.unit == "points" and metric.value > 1:
        raise CyclrError(
            f"`{metric.name}` is {metric.value}: return a fraction of 1, as in 0.93 for 93 %, or "
            f"declare cyclr.Objective({metric.name!r}, {metric.direction!r}), which has its own unit"
        )
