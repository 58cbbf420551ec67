"""Hugging Face transformers' schedules: torch's LambdaLR over a factor of the optimizer's rate.

The rate of update i is `base_lr · lambda(i)`, which LambdaLR computes afresh at each step, so it is read at any i
without stepping there.
"""

import torch
import transformers
from transformers import optimization as hf

from common import Table, floor_rate, generator, horizon, pick, rate, spec

RNG = generator("transformers")


def make():
    table = Table("transformers", "transformers", f"{transformers.__version__}, torch {torch.__version__}", "by_transformers.py")
    for _ in range(16):
        simple(table)
        others(table)
        restarts(table)
    for k in range(45):
        stable(table, ("linear", "cosine", "1-sqrt")[k % 3])
    for _ in range(24):
        inverse_sqrt(table)
    return table


def rates(lr, wanted, maker, *args, **keys):
    opt = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr)
    scheduler = maker(opt, *args, **keys)
    opt.step()
    rows = []
    for i in wanted:
        scheduler.last_epoch = i - 1
        scheduler.step()
        rows.append([i, opt.param_groups[0]["lr"], None])
    return rows


def past(n):
    return (n + 1, n + RNG.randint(2, 5000))


def options():
    lr, n = rate(RNG), horizon(RNG)
    return lr, n, RNG.choice([0, RNG.randint(1, n // 2)])


def both_ways(w, name, **keys):
    """`warmup=W` inside and `warmup(W) then` in front mean the same."""
    if w == 0 or RNG.random() < 0.5:
        return spec(name, **keys, warmup=w or None)
    return f"warmup({w}) then {spec(name, **keys)}"


def front(w, shown):
    return f"warmup({w}) then {shown}" if w else shown


def simple(table):
    lr, n, w = options()
    rows = rates(lr, pick(RNG, n, [w], extra=past(n)), hf.get_linear_schedule_with_warmup, w, n)
    table.add("get_linear_schedule_with_warmup", both_ways(w, "linear", lr=lr), n, rows)
    lr, n, w = options()
    # Past the end the cosine of transformers rises again.
    rows = rates(lr, pick(RNG, n, [w]), hf.get_cosine_schedule_with_warmup, w, n)
    table.add("get_cosine_schedule_with_warmup", both_ways(w, "cosine", lr=lr), n, rows)


def others(table):
    lr, n, w = options()
    low = floor_rate(RNG, lr)
    rows = rates(lr, pick(RNG, n, [w]), hf.get_cosine_with_min_lr_schedule_with_warmup, w, n, min_lr=low)
    table.add("get_cosine_with_min_lr_schedule_with_warmup", both_ways(w, "cosine", lr=lr, min=low), n, rows)

    rows = rates(lr, pick(RNG, n, [w], extra=past(n)), hf.get_polynomial_decay_schedule_with_warmup, w, n, lr_end=low)
    # With an end above 0 the warm-up still starts from 0, as ours.
    table.add("get_polynomial_decay_schedule_with_warmup, power 1", both_ways(w, "linear", lr=lr, end=low), n, rows)
    power = RNG.choice([0.5, 2.0, RNG.uniform(0.5, 4)])
    rows = rates(lr, pick(RNG, n, [w], extra=past(n)), hf.get_polynomial_decay_schedule_with_warmup, w, n, lr_end=0.0, power=power)
    table.add("get_polynomial_decay_schedule_with_warmup", front(w, spec("poly", lr=lr, power=power)), n, rows)

    rows = rates(lr, pick(RNG, n, [w], extra=past(n)), hf.get_constant_schedule_with_warmup, w)
    table.add("get_constant_schedule_with_warmup", front(w, spec("fixed", lr=lr)), n, rows)
    scale = RNG.choice([None, RNG.randint(10, 5000)])
    rows = rates(lr, pick(RNG, n, [w]), hf.get_inverse_sqrt_schedule, w, scale)
    shown = spec("inv", lr=lr, gamma=1 / (scale or w or 10_000), power=0.5)
    table.add("get_inverse_sqrt_schedule", front(w, shown), n, rows)


def inverse_sqrt(table):
    """Without a timescale it is the warm-up, or 10,000 updates where there is none."""
    lr, n, w = options()
    scale = RNG.choice([None, RNG.randint(10, 5000)])
    rows = rates(lr, pick(RNG, n, [w, w + 3 * (scale or w or 10_000)]), hf.get_inverse_sqrt_schedule, w, scale)
    if w and scale and RNG.random() < 0.5:
        shown = front(w, spec("inverse_sqrt", lr=lr, timescale=scale))
    else:
        shown = spec("inverse_sqrt", lr=lr, timescale=scale, warmup=w or None)
    table.add("get_inverse_sqrt_schedule as inverse_sqrt", shown, n, rows)


def restarts(table):
    """At most six cycles, each a whole number of updates: transformers' rounded `cycles · progress % 1` misses a restart
    when there are more (the 15th of 22 is the first)."""
    lr, period, cycles, w = rate(RNG), RNG.randint(3, 5000), RNG.randint(2, 6), RNG.randint(0, 500)
    n = w + period * cycles
    starts = [w + period * k for k in range(1, cycles)]
    rows = rates(lr, pick(RNG, n, starts, last=n - 1), hf.get_cosine_with_hard_restarts_schedule_with_warmup, w, n, cycles)
    shown = front(w, spec("cosine_restarts", max=lr, min=0.0, period=period))
    table.add("get_cosine_with_hard_restarts_schedule_with_warmup", shown, n, rows)


def stable(table, decay):
    """`num_decay_steps` is our cooldown: it starts at update N - D, still at the full rate, and reaches 0 at N."""
    lr, n, w = options()
    d = RNG.randint(1, n - w)
    shape = {"linear": "linear", "cosine": "cos", "1-sqrt": "sqrt"}[decay]
    wanted = pick(RNG, n, [w, n - d, n - d // 2], extra=past(n), most_marks=3)
    rows = rates(lr, wanted, hf.get_wsd_schedule, w, d, num_training_steps=n, decay_type=decay)
    if w == 0 and n % 10 == 0 and RNG.random() < 0.5:
        d = n // 5
        rows = rates(lr, pick(RNG, n, [n - d], extra=past(n)), hf.get_wsd_schedule, w, d, num_training_steps=n, decay_type=decay)
        shown = spec("wsd", lr=lr, shape=shape)
    else:
        shown = both_ways(w, "wsd", lr=lr, cooldown=d, shape=None if shape == "sqrt" and RNG.random() < 0.5 else shape)
    table.add(f"get_wsd_schedule {decay}", shown, n, rows)
