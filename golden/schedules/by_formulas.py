"""Published formulas at 50 digits (mpmath), rounded to f64.

`caffe`: the policies of Caffe's solver. `formulas`: the cyclical policies of arXiv 1506.01186, the one cycle of its
author, REX (2107.04197) and WSD's 1-sqrt cooldown (2405.18392). Each is written here from its source, not from our
grammar; grammar.py, which checks them, is.
"""

import math

import mpmath
from mpmath import floor, mp, mpf

from common import Table, bounds, generator, horizon, momenta, pick, rate, spec

mp.dps = 50


def caffe():
    table = Table("caffe", "Caffe's solver policies, by formula", f"mpmath {mpmath.__version__}", "by_formulas.py")
    rng = generator("caffe")
    for _ in range(16):
        for policy in (caffe_fixed, caffe_step, caffe_exp, caffe_inv, caffe_multistep, caffe_poly, caffe_sigmoid):
            policy(table, rng)
    solvers(table, rng)
    return table


def formulas():
    table = Table("formulas", "published formulas", f"mpmath {mpmath.__version__}", "by_formulas.py")
    rng = generator("formulas")
    for k in range(64):
        paper_cyclical(table, rng, ("triangular", "triangular2", "amplitude", "bounds")[k % 4])
    for name in ("triangular", "triangular2", "amplitude", "bounds"):
        record_cyclical(table, rng, name, 0.001, 0.006, 2000, 2000, 0.99994, None, 20_001,
                        extra=(1, 2000, 4000, 4001, 6000, 10_000))
    for _ in range(16):
        rex(table, rng)
        wsd(table, rng)
        smith(table, rng)
    return table


def record(table, case, shown, updates, wanted, lr, momentum=None):
    rows = [[i, float(lr(mpf(i))), None if momentum is None else float(momentum(mpf(i)))] for i in wanted]
    table.add(case, shown, updates, rows)


def caffe_fixed(table, rng):
    lr, n = rate(rng), horizon(rng)
    record(table, "fixed", spec("fixed", lr=lr), n, pick(rng, n, randoms=1), lambda i: mpf(lr))


def caffe_step(table, rng):
    lr, n, g = rate(rng), horizon(rng), rng.choice([0.1, rng.uniform(0.3, 1.0)])
    s = rng.randint(max(1, n // 50), n)
    record(table, "step", spec("step", lr=lr, gamma=g, every=s), n, pick(rng, n, range(s, n, s), last=n - 1),
           lambda i: lr * mpf(g) ** floor(i / s))


def caffe_exp(table, rng):
    lr, n = rate(rng), horizon(rng)
    g = rng.choice([0.99994, 0.9, 1.0, math.exp(-rng.uniform(0.01, 10) / n)])
    record(table, "exp", spec("exponential", lr=lr, gamma=g), n, pick(rng, n), lambda i: lr * mpf(g) ** i)


def caffe_inv(table, rng):
    lr, n = rate(rng), horizon(rng)
    g, p = rng.choice([0.0001, math.exp(rng.uniform(-12, 2))]), rng.choice([0.75, 0.5, 1.0, rng.uniform(0.1, 3)])
    record(table, "inv", spec("inv", lr=lr, gamma=g, power=p), n, pick(rng, n), lambda i: lr * (1 + mpf(g) * i) ** -mpf(p))


def caffe_multistep(table, rng):
    lr, n, g = rate(rng), horizon(rng), rng.choice([0.1, rng.uniform(0.3, 1.0)])
    marks = sorted(rng.sample(range(1, n), rng.randint(1, 6)))
    record(table, "multistep", spec("multistep", lr=lr, gamma=g, at=marks), n, pick(rng, n, marks),
           lambda i: lr * mpf(g) ** sum(i >= m for m in marks))


def caffe_poly(table, rng):
    lr, n, p = rate(rng), horizon(rng), rng.choice([0.5, 1.0, 2.0, rng.uniform(0.5, 4)])
    record(table, "poly", spec("poly", lr=lr, power=p), n, pick(rng, n), lambda i: lr * (1 - i / n) ** mpf(p))


def caffe_sigmoid(table, rng):
    """Falling (gamma < 0), as it is used, and rising; some of them steep enough to overflow a careless exp."""
    lr, n = rate(rng), horizon(rng)
    g, s = rng.choice([-1, -1, 1]) * rng.choice([rng.uniform(1, 50) / n, 0.5]), rng.randint(0, n)
    record(table, "sigmoid", spec("sigmoid", lr=lr, gamma=g, at=s), n, pick(rng, n, [s]),
           lambda i: lr / (1 + mpmath.exp(-mpf(g) * (i - s))))


def solvers(table, rng):
    """The solver files that Caffe ships: cifar10_full, lenet (inv) and CaffeNet (step)."""
    record(table, "cifar10_full", "multistep(lr=0.001, gamma=0.1, at=[60000, 65000])", 70_000,
           pick(rng, 70_000, [60_000, 65_000]), lambda i: mpf(0.001) * mpf(0.1) ** ((i >= 60_000) + (i >= 65_000)))
    record(table, "lenet", "inv(lr=0.01, gamma=0.0001, power=0.75)", 10_000, pick(rng, 10_000),
           lambda i: mpf(0.01) * (1 + mpf(0.0001) * i) ** mpf(-0.75))
    record(table, "step, five drops", "step(lr=0.01, gamma=0.1, every=20000)", 99_999,
           pick(rng, 99_999, range(20_000, 99_999, 20_000)), lambda i: mpf(0.01) * mpf(0.1) ** floor(i / 20_000))


def paper_cyclical(table, rng, name):
    n, (base, top) = horizon(rng), bounds(rng)
    up = rng.randint(1, n) if rng.random() < 0.2 else rng.randint(1, max(1, n // 6))
    down = up if rng.random() < 0.6 else rng.randint(1, max(1, n // 4))
    gamma = rng.choice([0.99994, 0.9, math.exp(-rng.uniform(0.1, 8) / n)])
    lohi = momenta(rng) if rng.random() < 0.4 else None
    record_cyclical(table, rng, name, base, top, up, down, gamma, lohi, n)


def record_cyclical(table, rng, name, base, top, up, down, gamma, lohi, n, extra=()):
    """The formulas of clr.md's source are for equal halves; unequal ones rise over `up` and fall over `down`."""

    def tri(i):
        if up == down:
            return 1 - abs((i % (2 * up)) / up - 1)
        p = i % (up + down)
        return min(p / up, (up + down - p) / mpf(down))

    def amplitude(i):
        if name == "triangular2":
            return 1 / mpf(2) ** floor(i / (up + down))
        return mpf(gamma) ** i if name == "amplitude" else mpf(1)

    def lr(i):
        value = base + (mpf(top) - base) * tri(i) * amplitude(i)
        return mpf(gamma) ** i * value if name == "bounds" else value

    def momentum(i):
        lo, hi = map(mpf, lohi)
        return hi - (hi - lo) * tri(i) * amplitude(i)

    size = {"step": up} if up == down and rng.random() < 0.8 else {"up": up, "down": down}
    more = {"gamma": gamma, "decays": name} if name in ("amplitude", "bounds") else {}
    shown = spec("exp_range" if more else name, base=base, max=top, **size, **more, momentum=lohi)
    starts = range(0, n + 1, up + down)
    wanted = pick(rng, n, sorted({*starts, *(s + up for s in starts)}), extra=extra)
    record(table, f"1506.01186 {name}", shown, n, wanted, lr, momentum if lohi else None)


def rex(table, rng):
    lr, n = rate(rng), horizon(rng)

    def value(i):
        z = i / n
        return lr * (1 - z) / (mpf(1) / 2 + mpf(1) / 2 * (1 - z))

    record(table, "2107.04197 rex", spec("rex", lr=lr), n, pick(rng, n, [n // 2]), value)


def wsd(table, rng):
    """A cooldown in per cent keeps its fraction of an update."""
    lr, n = rate(rng), horizon(rng)
    percent = rng.choice([None, rng.randint(5, 60), rng.randint(5, 60), round(rng.uniform(5, 60), 1)])
    cooldown = mpf(20.0 if percent is None else float(percent)) / 100 * n

    def value(i):
        return mpf(lr) if i <= n - cooldown else lr * (1 - mpmath.sqrt((i - (n - cooldown)) / cooldown))

    shown = spec("wsd", lr=lr, cooldown=None if percent is None else f"{percent}%", shape=rng.choice([None, "sqrt"]))
    record(table, "2405.18392 wsd 1-sqrt", shown, n, pick(rng, n, [float(n - cooldown)]), value)


def smith(table, rng):
    """Up from base to max over s, down as max·(2s - i)/s towards 0, then base/1000. At 2s itself the sources do not
    say whether the rate is 0 or already base/1000: left out."""
    n, (base, top) = horizon(rng), bounds(rng)
    s = rng.randint(2, n // 2)
    lohi = momenta(rng) if rng.random() < 0.5 else None

    def lr(i):
        if i <= s:
            return base + (mpf(top) - base) * i / s
        return top * (2 * s - i) / s if i < 2 * s else mpf(base) / 1000

    def momentum(i):
        lo, hi = map(mpf, lohi)
        return hi - (hi - lo) * (max(mpf(0), 1 - abs(i / s - 1)))

    wanted = [i for i in pick(rng, n, [s, 2 * s], last=n - 1) if i != 2 * s]
    shown = spec("one_cycle_smith", base=base, max=top, step=s, momentum=lohi)
    record(table, "one cycle, hyperParam1 logs", shown, n, wanted, lr, momentum if lohi else None)
