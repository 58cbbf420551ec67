"""torch.optim.lr_scheduler.

The rate of update i is what the optimizer's group holds after i calls of `scheduler.step()`. Four schedulers compute
the next rate from the last one, so a long run drifts by rounding; for ExponentialLR, LinearLR, PolynomialLR and
CosineAnnealingLR the values come from torch's own `_get_closed_form_lr`, and runs that must use the recursion (inside
SequentialLR and ChainedScheduler) are short: `make.py` checks that they lie within 1e-13 of the exact value.
"""

import math

import torch
from torch.optim import lr_scheduler as schedulers

from common import Table, bounds, floor_rate, generator, horizon, momenta, pick, rate, spec

RNG = generator("torch")


def make():
    table = Table("torch", "torch", torch.__version__, "by_torch.py")
    cyclic(table)
    one_cycle(table)
    restarts(table)
    closed_forms(table)
    sequences(table)
    chained(table)
    return table


def optimizer(lr, adam=False):
    weights = [torch.nn.Parameter(torch.zeros(1))]
    if adam:
        return torch.optim.Adam(weights, lr=lr, betas=(0.9, 0.999))
    return torch.optim.SGD(weights, lr=lr, momentum=0.9)


def step_through(opt, scheduler, wanted, momentum=False):
    """Steps the scheduler to the last wanted update and reads the group at each of them."""
    opt.step()  # torch warns where the scheduler steps first; the parameters have no gradient, so nothing moves
    group, rows, wanted = opt.param_groups[0], [], set(wanted)
    for i in range(max(wanted) + 1):
        if i > 0:
            scheduler.step()
        if i in wanted:
            m = group["betas"][0] if "betas" in group else group["momentum"]
            rows.append([i, group["lr"], m if momentum else None])
    return rows


def closed(scheduler, wanted):
    rows = []
    for i in wanted:
        scheduler.last_epoch = i
        rows.append([i, scheduler._get_closed_form_lr()[0], None])
    return rows


def halves(updates):
    """Step sizes such that torch's `1 + i / total - cycle` keeps 13 digits: at most 300 cycles, by the steeper half."""
    while True:
        up = RNG.randint(1, max(2, updates // RNG.choice([2, 3, 4, 8, 20, 60])))
        down = up if RNG.random() < 0.5 else RNG.randint(1, max(2, updates // RNG.choice([2, 4, 8, 20])))
        if updates / min(up, down) <= 300:
            return up, down


def cyclic_spec(mode, base, top, up, down, gamma, lohi):
    name = mode
    size = {"step": up} if up == down and RNG.random() < 0.7 else {"up": up, "down": down}
    more = {}
    if mode == "exp_range":
        more["gamma"] = gamma
        if RNG.random() < 0.5:
            more["decays"] = "amplitude"
    return spec(name, base=base, max=top, **size, **more, momentum=lohi)


def turns(up, down, updates):
    starts = range(0, updates + 1, up + down)
    return sorted({*starts, *(s + up for s in starts)})


def cyclic_options(mode, updates):
    (base, top), (up, down) = bounds(RNG), halves(updates)
    gamma = RNG.choice([0.99994, 1.0, 0.9, math.exp(-RNG.uniform(0.1, 8) / updates)])
    lohi = momenta(RNG) if RNG.random() < 0.5 else None
    keys = dict(
        base_lr=base, max_lr=top, step_size_up=up, step_size_down=None if up == down else down, mode=mode, gamma=gamma,
        cycle_momentum=lohi is not None,
    )
    if lohi:
        keys |= dict(base_momentum=lohi[0], max_momentum=lohi[1])
    return keys, cyclic_spec(mode, base, top, up, down, gamma, lohi), turns(up, down, updates), lohi


def cyclic(table):
    for k in range(120):
        mode = ("triangular", "triangular2", "exp_range")[k % 3]
        updates = horizon(RNG)
        keys, shown, marks, lohi = cyclic_options(mode, updates)
        adam = lohi is not None and RNG.random() < 0.4
        opt = optimizer(0.1, adam)
        rows = step_through(opt, schedulers.CyclicLR(opt, **keys), pick(RNG, updates, marks), lohi is not None)
        table.add(f"CyclicLR {mode}" + (" Adam" if adam else ""), shown, updates, rows)
    opt = optimizer(0.1)
    rows = step_through(opt, schedulers.CyclicLR(opt, 1.0, 5.0, 2, 6, cycle_momentum=False), range(9))
    table.add("CyclicLR triangular, by hand", "triangular(base=1, max=5, up=2, down=6)", 8, rows)


def one_cycle(table):
    for k in range(80):
        phases, anneal = (2, 3)[k % 2], ("cos", "linear")[k // 2 % 2]
        updates, tenths = horizon(RNG, 40), RNG.choice([300, 250, RNG.randint(60, 450), RNG.randint(60, 450)])
        top = rate(RNG, 1e-3, 3.0)
        keys, shown = {}, {}
        if tenths != 300 or RNG.random() < 0.5:
            keys["pct_start"], shown["warmup"] = tenths / 1000, f"{tenths / 10:g}%"
        if RNG.random() < 0.6:
            keys["div_factor"] = shown["div"] = RNG.choice([10.0, 25.0, 2.5, RNG.uniform(1.5, 100)])
        if RNG.random() < 0.6:
            keys["final_div_factor"] = shown["final_div"] = RNG.choice([1e4, 1e5, 100.0, RNG.uniform(2, 1e4)])
        if anneal == "linear" or RNG.random() < 0.5:
            keys["anneal_strategy"] = shown["anneal"] = anneal
        if phases == 3 or RNG.random() < 0.5:
            keys["three_phase"], shown["phases"] = phases == 3, phases
        lohi = momenta(RNG) if RNG.random() < 0.6 else None
        if lohi:
            keys |= dict(base_momentum=lohi[0], max_momentum=lohi[1])
        adam = lohi is not None and RNG.random() < 0.4
        opt = optimizer(0.1, adam)
        scheduler = schedulers.OneCycleLR(opt, top, total_steps=updates, cycle_momentum=lohi is not None, **keys)
        peak = tenths / 1000 * updates - 1
        marks = [peak, 2 * peak] if phases == 3 else [peak]
        # At update N torch extrapolates its last phase and after that it raises, so the rows end at N - 1.
        rows = step_through(opt, scheduler, pick(RNG, updates, marks, last=updates - 1), lohi is not None)
        table.add("OneCycleLR" + (" Adam" if adam else ""), spec("one_cycle", max=top, **shown, momentum=lohi), updates, rows)


def restarts(table):
    for k in range(36):
        mult, updates = (1, 2, 3)[k % 3], horizon(RNG)
        period = RNG.randint(1, updates) if mult == 1 else RNG.randint(1, max(1, updates // 3))
        top = rate(RNG)
        low = floor_rate(RNG, top)
        marks, size, start = [], period, period
        while start <= updates:
            marks.append(start)
            size *= mult
            start += size
        opt = optimizer(top)
        scheduler = schedulers.CosineAnnealingWarmRestarts(opt, period, mult, low)
        shown = spec("cosine_restarts", max=top, min=low, period=period, mult=None if mult == 1 and RNG.random() < 0.5 else mult)
        table.add("CosineAnnealingWarmRestarts", shown, updates, step_through(opt, scheduler, pick(RNG, updates, marks, last=updates - 1)))


def closed_forms(table):
    for _ in range(12):
        lr, n = rate(RNG), horizon(RNG)
        past = (n + 1, n + RNG.randint(2, 5000))

        every, gamma = RNG.randint(max(1, n // 30), n), RNG.choice([0.1, 0.5, RNG.uniform(0.3, 1.0)])
        opt = optimizer(lr)
        rows = step_through(opt, schedulers.StepLR(opt, every, gamma), pick(RNG, n, range(every, n, every), last=n - 1))
        table.add("StepLR", spec("step", lr=lr, gamma=gamma, every=every), n, rows)

        drops = sorted(RNG.sample(range(1, n), RNG.randint(1, 5)))
        opt = optimizer(lr)
        rows = step_through(opt, schedulers.MultiStepLR(opt, drops, gamma), pick(RNG, n, drops))
        table.add("MultiStepLR", spec("multistep", lr=lr, gamma=gamma, at=drops), n, rows)

        gamma = math.exp(-RNG.uniform(0.1, 10) / n)
        rows = closed(schedulers.ExponentialLR(optimizer(lr), gamma), pick(RNG, n))
        table.add("ExponentialLR", spec("exponential", lr=lr, gamma=gamma), n, rows)

        factor = RNG.choice([0.0, 0.1, RNG.uniform(0.001, 1.0)])
        rows = closed(schedulers.LinearLR(optimizer(lr), 1.0, factor, n), pick(RNG, n, extra=past))
        table.add("LinearLR", spec("linear", lr=lr, end=lr * factor if factor or RNG.random() < 0.5 else None), n, rows)

        power = RNG.choice([0.5, 0.9, 1.0, 2.0, RNG.uniform(0.5, 4)])
        rows = closed(schedulers.PolynomialLR(optimizer(lr), n, power), pick(RNG, n, extra=past))
        table.add("PolynomialLR", spec("poly", lr=lr, power=power), n, rows)

        low = floor_rate(RNG, lr)
        rows = closed(schedulers.CosineAnnealingLR(optimizer(lr), n, low), pick(RNG, n, [n // 2]))
        table.add("CosineAnnealingLR", spec("cosine", lr=lr, min=low if low or RNG.random() < 0.5 else None), n, rows)


def stage_kinds(lr, length):
    """Stages that start from the optimizer's rate: (spec text, scheduler maker, does it recur)."""
    gamma, every = RNG.uniform(0.3, 0.95), RNG.randint(1, length)
    drops = sorted(RNG.sample(range(1, max(length, 4)), 2))
    slow = math.exp(-RNG.uniform(0.1, 5) / length)
    power, low, period = RNG.choice([1.0, 2.0, 0.5]), floor_rate(RNG, lr), RNG.randint(1, length)
    factor = RNG.uniform(0.01, 1.0)
    mult = RNG.randint(1, 3)
    return {
        "fixed": (spec("fixed", lr=lr), lambda o: schedulers.ConstantLR(o, 1.0, length)),
        "step": (spec("step", lr=lr, gamma=gamma, every=every), lambda o: schedulers.StepLR(o, every, gamma)),
        "multistep": (spec("multistep", lr=lr, gamma=gamma, at=drops), lambda o: schedulers.MultiStepLR(o, drops, gamma)),
        "exponential": (spec("exponential", lr=lr, gamma=slow), lambda o: schedulers.ExponentialLR(o, slow)),
        "poly": (spec("poly", lr=lr, power=power), lambda o: schedulers.PolynomialLR(o, length, power)),
        "linear": (spec("linear", lr=lr, end=lr * factor), lambda o: schedulers.LinearLR(o, 1.0, factor, length)),
        "cosine": (spec("cosine", lr=lr, min=low), lambda o: schedulers.CosineAnnealingLR(o, length, low)),
        "cosine_restarts": (
            spec("cosine_restarts", max=lr, min=low, period=period, mult=mult),
            lambda o: schedulers.CosineAnnealingWarmRestarts(o, period, mult, low),
        ),
    }


def sequences(table):
    warmed(table)
    mixed(table)
    cyclical_stages(table)
    fixed_then_one_cycle(table)
    paper_stages(table)


def warmed(table):
    for kind in ("fixed", "step", "multistep", "exponential", "poly", "linear", "cosine", "cosine_restarts") * 4:
        lr, w, length = rate(RNG), RNG.randint(1, 100), RNG.randint(10, 400)
        shown, build = stage_kinds(lr, length)[kind]
        factor = RNG.choice([0.1, 0.5, RNG.uniform(0.001, 0.9)])
        opt = optimizer(lr)
        parts = [schedulers.LinearLR(opt, factor, 1.0, w), build(opt)]
        wanted = pick(RNG, w + length, [w], last=w + length - 1)
        rows = step_through(opt, schedulers.SequentialLR(opt, parts, [w]), wanted)
        table.add("SequentialLR warm-up", f"warmup({w}, from={lr * factor!r}) then {shown}", w + length, rows)


def mixed(table):
    """Two to four stages; a CyclicLR is built last, because it would set the initial rate of those built after it."""
    for k in range(30):
        lr, count = rate(RNG), RNG.randint(2, 4)
        lengths = [RNG.randint(5, 150) for _ in range(count)]
        cyclic_at = RNG.randrange(count) if k % 2 else None
        opt, parts, shown = optimizer(lr), [None] * count, [None] * count
        for j, length in enumerate(lengths):
            if j != cyclic_at:
                options = stage_kinds(lr, length)
                shown[j], build = options[RNG.choice(sorted(options))]
                parts[j] = build(opt)
        if cyclic_at is not None:
            (base, top), (up, down) = bounds(RNG), halves(lengths[cyclic_at])
            mode = RNG.choice(["triangular", "triangular2", "exp_range"])
            shown[cyclic_at] = cyclic_spec(mode, base, top, up, down, 0.99, None)
            parts[cyclic_at] = schedulers.CyclicLR(opt, base, top, up, down, mode, 0.99, cycle_momentum=False)
        join(table, "SequentialLR", opt, parts, shown, lengths)


def join(table, case, opt, parts, shown, lengths, momentum=False):
    ends = [sum(lengths[: j + 1]) for j in range(len(lengths))]
    open_end = RNG.random() < 0.5
    texts = [f"{s} for {n}" for s, n in zip(shown, lengths)]
    if open_end:
        texts[-1] = shown[-1]
    wanted = pick(RNG, ends[-1], ends[:-1], last=ends[-1] - 1)
    rows = step_through(opt, schedulers.SequentialLR(opt, parts, ends[:-1]), wanted, momentum)
    table.add(case, " then ".join(texts), ends[-1], rows)


def cyclical_stages(table):
    """Stages of CyclicLR alone, all with or all without momentum: torch leaves the last stage's momentum standing."""
    for k in range(12):
        lengths = [horizon(RNG) // 3 for _ in range(RNG.randint(2, 3))]
        lohi = momenta(RNG) if k % 2 else None
        opt, parts, shown = optimizer(0.1), [], []
        for length in lengths:
            (base, top), (up, down) = bounds(RNG), halves(length)
            mode, gamma = RNG.choice(["triangular", "triangular2", "exp_range"]), math.exp(-RNG.uniform(0.1, 5) / length)
            cycled = dict(base_momentum=lohi[0], max_momentum=lohi[1]) if lohi else dict(cycle_momentum=False)
            shown.append(cyclic_spec(mode, base, top, up, down, gamma, lohi))
            parts.append(schedulers.CyclicLR(opt, base, top, up, down, mode, gamma, **cycled))
        join(table, "SequentialLR of CyclicLR", opt, parts, shown, lengths, lohi is not None)


def fixed_then_one_cycle(table):
    """OneCycleLR overwrites the group's initial rate, so the stage before it stays at max / div."""
    for anneal in ("cos", "linear"):
        top, lengths, div = rate(RNG), [RNG.randint(5, 100), RNG.randint(50, 3000)], 25.0
        opt = optimizer(top / div)
        parts = [
            schedulers.ConstantLR(opt, 1.0, 1),
            schedulers.OneCycleLR(opt, top, lengths[1], anneal_strategy=anneal, cycle_momentum=False),
        ]
        shown = [spec("fixed", lr=top / div), spec("one_cycle", max=top, anneal=anneal)]
        join(table, "SequentialLR of OneCycleLR", opt, parts, shown, lengths)


def paper_stages(table):
    """The three stages of the paper's triangular2 run over 25,000 updates."""
    sizes, lengths = [(0.001, 0.005, 2000), (0.0001, 0.0005, 1000), (0.00001, 0.00005, 500)], [16_000, 6_000, 3_000]
    opt = optimizer(0.1)
    parts = [schedulers.CyclicLR(opt, b, t, s, mode="triangular2", cycle_momentum=False) for b, t, s in sizes]
    shown = [spec("triangular2", base=b, max=t, step=s) for b, t, s in sizes]
    join(table, "SequentialLR, the paper's stages", opt, parts, shown, lengths)


def chained(table):
    """ChainedScheduler multiplies its parts; these are the products that our grammar can say."""
    for _ in range(6):
        lr, n = rate(RNG), RNG.randint(50, 500)

        a, b = RNG.uniform(0.95, 1.0), RNG.uniform(0.95, 1.0)
        opt = optimizer(lr)
        parts = [schedulers.ExponentialLR(opt, a), schedulers.ExponentialLR(opt, b)]
        rows = step_through(opt, schedulers.ChainedScheduler(parts, opt), pick(RNG, n))
        table.add("ChainedScheduler of ExponentialLR", spec("exponential", lr=lr, gamma=a * b), n, rows)

        drops = RNG.sample(range(1, n), 4)
        opt = optimizer(lr)
        parts = [schedulers.MultiStepLR(opt, drops[:2], 0.3), schedulers.MultiStepLR(opt, drops[2:], 0.3)]
        rows = step_through(opt, schedulers.ChainedScheduler(parts, opt), pick(RNG, n, drops))
        table.add("ChainedScheduler of MultiStepLR", spec("multistep", lr=lr, gamma=0.3, at=sorted(drops)), n, rows)

        every, factor = RNG.randint(2, 20), RNG.choice([0.1, 0.5])
        held = every * RNG.randint(1, 2)
        opt = optimizer(lr)
        parts = [schedulers.ConstantLR(opt, factor, held), schedulers.StepLR(opt, every, 0.5)]
        rows = step_through(opt, schedulers.ChainedScheduler(parts, opt), pick(RNG, n, [held], last=n - 1))
        first = spec("step", lr=lr * factor, gamma=0.5, every=every)
        after = spec("step", lr=lr * 0.5 ** (held // every), gamma=0.5, every=every)
        table.add("ChainedScheduler of ConstantLR and StepLR", f"{first} for {held} then {after}", n, rows)
