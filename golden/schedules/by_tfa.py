"""TensorFlow Addons' CyclicalLearningRate, by its published formula in f64.

The package is no longer maintained and does not install beside current TensorFlow, so its formula (the same as that of
the Keras CLR callback) is written out here with numpy: `scale_mode` is 'cycle' or 'iterations', and the scale function
is 1, 1 / 2^(cycle - 1) or gamma^iterations for its three ready-made classes.
"""

import math

import numpy as np

from common import Table, bounds, generator, horizon, pick, spec

RNG = generator("tfa")


def make():
    table = Table("tfa", "tensorflow_addons CyclicalLearningRate, formula of 0.23.0", f"numpy {np.__version__}", "by_tfa.py")
    for k in range(66):
        name = ("triangular", "triangular2", "exp_range")[k % 3]
        updates = horizon(RNG)
        size = max(1, math.ceil(updates / RNG.choice([0.7, 2, 3, 8, 8, 50, 250])))
        base, top = bounds(RNG)
        gamma = RNG.choice([0.99994, 0.999, math.exp(-RNG.uniform(0.1, 8) / updates)])
        scale_fn, scale_mode = {
            "triangular": (lambda _: 1.0, "cycle"),
            "triangular2": (lambda x: 1 / (2.0 ** (x - 1)), "cycle"),
            "exp_range": (lambda x: gamma**x, "iterations"),
        }[name]
        wanted = pick(RNG, updates, range(0, updates, size))
        rows = [[i, cyclical(i, base, top, size, scale_fn, scale_mode), None] for i in wanted]
        more = {"gamma": gamma} if name == "exp_range" else {}
        table.add(f"CyclicalLearningRate {name}", spec(name, base=base, max=top, step=size, **more), updates, rows)
    return table


def cyclical(iterations, initial, maximal, step_size, scale_fn, scale_mode):
    step = np.float64(iterations)
    cycle = np.floor(1 + step / (2 * step_size))
    x = np.abs(step / step_size - 2 * cycle + 1)
    mode_step = cycle if scale_mode == "cycle" else step
    return initial + (maximal - initial) * np.maximum(np.float64(0), 1 - x) * scale_fn(mode_step)
