"""optax schedules in f64 (`jax_enable_x64`), where one of our specs is the same by definition."""

import jax

jax.config.update("jax_enable_x64", True)

import optax  # noqa: E402

from common import Table, floor_rate, generator, horizon, pick, rate, spec  # noqa: E402

RNG = generator("optax")


def make():
    table = Table("optax", "optax", f"{optax.__version__}, jax {jax.__version__}", "by_optax.py")
    for _ in range(20):
        one_cycle(table)
        three_phases(table)
        warmup_cosine(table)
        sgdr(table)
    for _ in range(8):
        decays(table)
        joined(table)
    return table


def record(table, case, shown, updates, schedule, marks=(), last=None, past=True):
    extra = (updates + 1, updates + RNG.randint(2, 5000)) if past else ()
    rows = [[i, float(schedule(i)), None] for i in pick(RNG, updates, marks, last, extra)]
    table.add(case, shown, updates, rows)


def one_cycle(table):
    """optax peaks at update int(pct · M) and ends at M, torch (and we) at warmup - 1 and N - 1: so each is one more."""
    steps, pct, top = horizon(RNG, 40), RNG.choice([0.3, RNG.uniform(0.05, 0.9)]), rate(RNG, 1e-3, 3.0)
    div, final = RNG.choice([25.0, RNG.uniform(1.5, 100)]), RNG.choice([1e4, RNG.uniform(2, 1e4)])
    peak = int(pct * steps)
    schedule = optax.cosine_onecycle_schedule(steps, top, pct, div, final)
    shown = spec("one_cycle", max=top, warmup=peak + 1, div=div, final_div=final, anneal="cos")
    record(table, "cosine_onecycle_schedule", shown, steps + 1, schedule, [peak])


def three_phases(table):
    """Equal only where the second bend, int(pct_final · M), is at twice the peak's update."""
    steps, top = horizon(RNG, 40), rate(RNG, 1e-3, 3.0)
    div, final = RNG.choice([25.0, RNG.uniform(1.5, 100)]), RNG.choice([1e4, RNG.uniform(2, 1e4)])
    peak = RNG.randint(2, (steps - 1) // 2)
    schedule = optax.linear_onecycle_schedule(steps, top, (peak + 0.5) / steps, (2 * peak + 0.5) / steps, div, final)
    shown = spec("one_cycle", max=top, warmup=peak + 1, div=div, final_div=final, anneal="linear", phases=3)
    record(table, "linear_onecycle_schedule", shown, steps + 1, schedule, [peak, 2 * peak])


def warmup_cosine(table):
    n, top = horizon(RNG, 40), rate(RNG)
    w, low = RNG.randint(1, n // 2), floor_rate(RNG, top)
    start = RNG.choice([0.0, top * RNG.uniform(0.01, 0.9)])
    if start == 0.0 and RNG.random() < 0.5:
        shown = spec("cosine", lr=top, min=low, warmup=w)
    else:
        shown = f"warmup({w}{f', from={start!r}' if start or RNG.random() < 0.5 else ''}) then {spec('cosine', lr=top, min=low)}"
    record(table, "warmup_cosine_decay_schedule", shown, n, optax.warmup_cosine_decay_schedule(start, top, w, n, low), [w])


def sgdr(table):
    """Cycles of one peak are `cosine_restarts`; peaks and warm-ups of their own are stages."""
    if RNG.random() < 0.4:
        top, period, mult, cycles = rate(RNG), RNG.randint(3, 2000), RNG.randint(1, 3), RNG.randint(2, 4)
        low = floor_rate(RNG, top)
        lengths = [period * mult**k for k in range(cycles)]
        kinds = [dict(init_value=top, peak_value=top, warmup_steps=0, decay_steps=n, end_value=low) for n in lengths]
        shown = spec("cosine_restarts", max=top, min=low, period=period, mult=mult)
        last = sum(lengths) - 1  # at its very end optax has reached the minimum, where a restart would be due
    else:
        kinds, texts, lengths = [], [], []
        for _ in range(RNG.randint(2, 4)):
            top, n = rate(RNG), RNG.randint(5, 20_000)
            w, low = RNG.choice([0, RNG.randint(1, n - 2)]), floor_rate(RNG, top)
            kinds.append(dict(init_value=0.0, peak_value=top, warmup_steps=w, decay_steps=n, end_value=low))
            texts.append(f"{spec('cosine', lr=top, min=low, warmup=w or None)} for {n}")
            lengths.append(n)
        shown, last = " then ".join(texts), None
    ends = [sum(lengths[: k + 1]) for k in range(len(lengths))]
    record(table, "sgdr_schedule", shown, ends[-1], optax.sgdr_schedule(kinds), ends[:-1], last, past=last is None)


def decays(table):
    lr, n = rate(RNG), horizon(RNG)
    power, low = RNG.choice([0.5, 1.0, 2.0, RNG.uniform(0.5, 4)]), floor_rate(RNG, lr)
    record(table, "polynomial_schedule", spec("poly", lr=lr, power=power), n, optax.polynomial_schedule(lr, 0.0, power, n))
    record(table, "linear_schedule", spec("linear", lr=lr, end=low), n, optax.linear_schedule(lr, low, n))
    record(table, "cosine_decay_schedule", spec("cosine", lr=lr), n, optax.cosine_decay_schedule(lr, n))

    gamma, every = RNG.uniform(0.3, 0.95), RNG.randint(max(1, n // 30), n)
    schedule = optax.exponential_decay(lr, every, gamma, staircase=True)
    record(table, "exponential_decay staircase", spec("step", lr=lr, gamma=gamma, every=every), n, schedule,
           range(every, n, every), n - 1, past=False)
    gamma = RNG.uniform(0.99, 1.0)
    record(table, "exponential_decay", spec("exponential", lr=lr, gamma=gamma), n,
           optax.exponential_decay(lr, 1, gamma), past=False)

    drops = sorted(RNG.sample(range(1, n), 3))
    schedule = optax.piecewise_constant_schedule(lr, {drop: 0.2 for drop in drops})
    record(table, "piecewise_constant_schedule", spec("multistep", lr=lr, gamma=0.2, at=drops), n, schedule, drops)


def joined(table):
    lr, other, w, n = rate(RNG), rate(RNG), RNG.randint(2, 500), RNG.randint(1000, 20_000)
    gamma = RNG.uniform(0.99, 1.0)
    record(table, "warmup_exponential_decay_schedule", f"warmup({w}) then {spec('exponential', lr=lr, gamma=gamma)}", n,
           optax.warmup_exponential_decay_schedule(0.0, lr, w, 1, gamma), [w], past=False)
    record(table, "warmup_constant_schedule", f"warmup({w}) then {spec('fixed', lr=lr)}", n,
           optax.warmup_constant_schedule(0.0, lr, w), [w])
    m = RNG.randint(100, 900)
    schedule = optax.join_schedules(
        [optax.constant_schedule(lr), optax.cosine_decay_schedule(other, m), optax.linear_schedule(lr, 0.0, n)], [w, w + m])
    shown = f"{spec('fixed', lr=lr)} for {w} then {spec('cosine', lr=other)} for {m} then {spec('linear', lr=lr)} for {n}"
    record(table, "join_schedules", shown, w + m + n, schedule, [w, w + m])
