"""Cyclical learning rates: find the bounds, schedule, train, and compare honestly.

The only clock is the optimizer update, counted from 0: the rate at update ``i`` is the rate that update ``i`` uses.

- `Spec` and `Schedule`, and a function for each policy (`triangular`, `one_cycle`, ...): what the rate does.
- `find` and `read_bounds`: the learning-rate range test. `train`: one run. `judge`: what may be said of several.
- `cycles`, `suggest`, `cyclical`: how long cycles should be.
- `begin` and `attach`: a loop of your own under the command line's ``cyclr find|train|compare``.
- `serve`: a training script as a child of the command line's.
- `cyclr.torch`, `cyclr.lightning`, `cyclr.hf`, `cyclr.keras`: the same inside those libraries.
- `cyclr.data`: a data set that needs no download.
"""

from cyclr._advice import Cycles, base_from_max, cycles, cyclical, suggest
from cyclr._attach import attach, begin
from cyclr._attached import Attached
from cyclr._cyclr import CyclrError, Hyper, Schedule, Spec, SpecError, TrainerError, __version__
from cyclr._find import Found, Outcome, Probe, Sweep, find, train
from cyclr._policies import (
    cosine,
    cosine_restarts,
    exp_range,
    exponential,
    fixed,
    inv,
    inverse_sqrt,
    linear,
    multistep,
    one_cycle,
    one_cycle_smith,
    poly,
    repeat,
    rex,
    sequence,
    sigmoid,
    step,
    triangular,
    triangular2,
    warmup,
    wsd,
)
from cyclr._range import Bounds, Curve, Estimate, NoAnswer, Reading, Suggestions, read_bounds
from cyclr._serve import serve
from cyclr._stats import Judged, Summary, judge, summary
from cyclr._trainer import Evaluation, Metric, Objective, Run, Trainer, TrainerInfo

__all__ = [
    "Attached",
    "Bounds",
    "Curve",
    "Cycles",
    "CyclrError",
    "Estimate",
    "Evaluation",
    "TrainerInfo",
    "Found",
    "Hyper",
    "Judged",
    "Metric",
    "Objective",
    "NoAnswer",
    "Outcome",
    "Suggestions",
    "Probe",
    "Reading",
    "Run",
    "Schedule",
    "Spec",
    "SpecError",
    "Summary",
    "Sweep",
    "Trainer",
    "TrainerError",
    "__version__",
    "attach",
    "base_from_max",
    "begin",
    "cosine",
    "cosine_restarts",
    "cycles",
    "cyclical",
    "exp_range",
    "exponential",
    "find",
    "fixed",
    "inv",
    "inverse_sqrt",
    "judge",
    "linear",
    "multistep",
    "one_cycle",
    "one_cycle_smith",
    "poly",
    "read_bounds",
    "repeat",
    "rex",
    "sequence",
    "serve",
    "sigmoid",
    "step",
    "suggest",
    "summary",
    "train",
    "triangular",
    "triangular2",
    "warmup",
    "wsd",
]
