"""timm's schedulers counted in updates (`t_in_epochs=False`): the rate of update t is `_get_lr(t)`.

timm's training loop calls `step_update(num_updates)` after each update with the number made so far, so that value is
the rate of the next one.
"""

import timm
import torch
from timm.scheduler import CosineLRScheduler, PolyLRScheduler

from common import Table, floor_rate, generator, horizon, pick, rate, spec

RNG = generator("timm")


def make():
    table = Table("timm", "timm", f"{timm.__version__}, torch {torch.__version__}", "by_timm.py")
    for _ in range(26):
        cosine(table)
        restarts(table)
        poly(table)
    for _ in range(26):
        falling_restarts(table)
    return table


def rates(lr, kind, wanted, **keys):
    opt = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr)
    scheduler = kind(opt, t_in_epochs=False, **keys)
    rows = []
    for i in wanted:
        scheduler.step_update(i)
        rows.append([i, opt.param_groups[0]["lr"], None])
    return rows


def past(n):
    return (n + 1, n + RNG.randint(2, 5000))


def warm(lr, n):
    """(spec prefix, timm's keys, W); `warmup_prefix` makes the policy count from 0 after the warm-up, as ours does."""
    if RNG.random() < 0.4:
        return "", {}, 0
    w, start = RNG.randint(1, n), RNG.choice([0.0, lr * RNG.uniform(0.001, 0.9)])
    return f"warmup({w}, from={start!r}) then ", dict(warmup_t=w, warmup_lr_init=start, warmup_prefix=True), w


def cosine(table):
    lr, n = rate(RNG), horizon(RNG)
    low, (prefix, keys, w) = floor_rate(RNG, lr), warm(lr, n // 3)
    wanted = pick(RNG, n, [w], extra=past(n))
    rows = rates(lr, CosineLRScheduler, wanted, t_initial=n - w, lr_min=low, **keys)
    table.add("CosineLRScheduler", prefix + spec("cosine", lr=lr, min=low), n, rows)


def restarts(table):
    """At most four cycles: where they grow, timm finds the cycle by a rounded logarithm, which misses the fifth restart
    of tripling cycles. After its last cycle timm stays at the minimum, where a restart would be due: left out."""
    lr, period, mult, cycles = rate(RNG), RNG.randint(3, 2000), RNG.randint(1, 3), RNG.randint(2, 4)
    low, starts = floor_rate(RNG, lr), [sum(period * mult**j for j in range(k)) for k in range(1, cycles + 1)]
    prefix, keys, w = warm(lr, 200)
    n = starts[-1] + w
    wanted = pick(RNG, n, [w + s for s in starts[:-1]], last=n - 1)
    rows = rates(lr, CosineLRScheduler, wanted, t_initial=period, lr_min=low, cycle_mul=float(mult), cycle_limit=cycles, **keys)
    shown = spec("cosine_restarts", max=lr, min=low, period=period, mult=mult)
    table.add("CosineLRScheduler with cycles", prefix + shown, n, rows)


def falling_restarts(table):
    """Equal cycles whose peaks fall; timm multiplies the maximum alone, so the minimum is 0."""
    lr, period, cycles, decay = rate(RNG), RNG.randint(3, 2000), RNG.randint(2, 9), RNG.uniform(0.2, 1)
    prefix, keys, w = warm(lr, 200)
    starts = [period * k for k in range(1, cycles + 1)]
    n = starts[-1] + w
    wanted = pick(RNG, n, [w + s for s in starts[:-1]], last=n - 1)
    rows = rates(lr, CosineLRScheduler, wanted, t_initial=period, lr_min=0.0, cycle_decay=decay, cycle_limit=cycles, **keys)
    shown = f"({spec('cosine', lr=lr)} for {period}) x {cycles} gamma={decay!r}"
    table.add("CosineLRScheduler with falling cycles", prefix + shown, n, rows)


def poly(table):
    lr, n, power = rate(RNG), horizon(RNG), RNG.choice([0.5, 0.9, 1.0, 2.0, RNG.uniform(0.5, 4)])
    prefix, keys, w = warm(lr, n // 3)
    wanted = pick(RNG, n, [w], extra=past(n))
    rows = rates(lr, PolyLRScheduler, wanted, t_initial=n - w, power=power, lr_min=0.0, **keys)
    table.add("PolyLRScheduler", prefix + spec("poly", lr=lr, power=power), n, rows)
