"""Compares the rates that `cyclr schedule` prints for random specs with what the documentation says they are.

    python3 soak/schedules.py [--specs 3500] [--seed 1] [--cyclr target/release/cyclr]

The oracle below is written from the documentation of the policies alone, with exact fractions for lengths and places. Rates
must agree to 1e-12 of the spec's largest one (1e-9 in runs of more than 100,000 updates), and what is refused must be what the
documentation says is refused. It ends with 0 if all do.
"""

import argparse
import collections
import csv
import math
import random
import re
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--specs", type=int, default=3500)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--cyclr", default=str(ROOT / "target/release/cyclr"))
    options = options.parse_args()
    seen, faults = collections.Counter(), 0
    for n in range(options.specs):
        chance = random.Random(f"{options.seed}-{n}")
        run, spec = random_spec(chance, n)
        how, fault = check(options.cyclr, run, spec, chance)
        seen[how] += 1
        if fault:
            faults += 1
            print(f"{how}: {spec.text()}, {run}\n    {fault}", flush=True)
    print(f"{options.specs} specs: {dict(sorted(seen.items()))}")
    print(f"{faults} disagreements" if faults else "no disagreement")
    sys.exit(int(faults > 0))


# The rules of lengths and stages.


class Refused(Exception):
    """What the documentation says is refused."""


class Run:
    def __init__(self, updates, examples, batch):
        self.updates, self.examples, self.batch = updates, examples, batch
        self.epoch = -(-examples // batch) if examples else None

    def options(self):
        data = ["--examples", str(self.examples), "--batch", str(self.batch)] if self.examples else []
        return ["--updates", str(self.updates), *data]

    def __str__(self):
        return " ".join(self.options())


class Length:
    """A number of updates, of epochs (`ep`) or of per cent."""

    def __init__(self, number, unit=""):
        self.number, self.unit = number, unit

    def of(self, whole, run):
        # As it is written: 0.1 is a tenth.
        number = Fraction(repr(self.number))
        if self.unit == "%":
            return number * whole / 100
        return Fraction(math.floor(number * run.epoch + Fraction(1, 2))) if self.unit == "ep" else number

    def __str__(self):
        return f"{self.number!r}{self.unit}"


def leniency(x):
    """What is that close to a whole number counts as whole."""
    return min(Fraction(1, 10**12) * max(abs(x), 1), Fraction(1, 1000))


def ceiling(x):
    return math.ceil(x - leniency(x))


def floor(x):
    return math.floor(x + leniency(x))


class Stage:
    """A warm-up or a policy, with what is known of its place once the spec is placed in a run."""

    def __init__(self, name, arguments, length=None):
        self.name, self.arguments, self.length = name, arguments, length

    def text(self):
        if self.name == "warmup":
            start = self.arguments["from"]
            return f"warmup({self.length}{f', from={start!r}' if start else ''})"
        arguments = ", ".join(f"{key}={written(value)}" for key, value in self.arguments.items())
        return f"{self.name}({arguments}){f' for {self.length}' if self.length else ''}"

    def updates(self, key, default=None):
        length = self.arguments.get(key, default)
        return length.of(self.whole, self.run) if length else Fraction(0)

    def place_of(self, length):
        """Per cent count from where the stage begins, its warm-up included; else from the policy's first update."""
        place = length.of(self.whole, self.run)
        return place - (self.first - self.begin) if length.unit == "%" else place


def written(value):
    if isinstance(value, list):
        return f"[{', '.join(map(str, value))}]"
    if isinstance(value, tuple):
        return f"{value[0]!r}..{value[1]!r}"
    return str(value) if isinstance(value, (Length, str)) else repr(value)


class Spec:
    def __init__(self, stages):
        self.stages = stages

    def text(self):
        return " then ".join(stage.text() for stage in self.stages)

    def largest(self):
        rates = (stage.arguments.get(key, 0.0) for stage in self.stages for key in ("lr", "max", "end", "from"))
        return max(rates) or 1.0

    def place(self, run):
        """Puts the stages one after the other; the last one has what is left."""
        exact = Fraction(0)
        for n, stage in enumerate(self.stages):
            stage.run, stage.exact_start = run, exact
            exact = exact + stage.length.of(run.updates, run) if stage.length else Fraction(run.updates)
            stage.exact_end = exact
            led = n > 0 and self.stages[n - 1].name == "warmup"
            stage.begin = self.stages[n - 1].begin if led else stage.exact_start
        if any(stage.exact_end > run.updates + leniency(run.updates) for stage in self.stages):
            raise Refused("the stages are longer than the run")
        for stage in self.stages:
            stage.first, stage.end = ceiling(stage.exact_start), ceiling(stage.exact_end)
            if stage.first >= stage.end:
                raise Refused("a stage has no update")
            stage.whole, stage.horizon = stage.exact_end - stage.begin, stage.exact_end - stage.first

    def at(self, update):
        """The rate of an update and its momentum, or None."""
        update = min(update, self.stages[0].run.updates)
        n = max(n for n, stage in enumerate(self.stages) if stage.first <= update)
        stage, i = self.stages[n], update - self.stages[n].first
        if stage.name != "warmup":
            return RATES[stage.name](stage, i)
        rate, momentum = RATES[self.stages[n + 1].name](self.stages[n + 1], 0)
        start = stage.arguments["from"]
        return start + (rate - start) * float(i / (stage.exact_end - stage.exact_start)), momentum


# The formulas of the policies, for the update `i` of a stage.


def power(base, exponent):
    try:
        return math.pow(base, exponent)
    except OverflowError:
        return math.inf


def half_cosine(high, low, z):
    # 1 + cos(πz) loses digits where z is close to 1.
    return low + (high - low) * math.sin(math.pi * (1 - z) / 2) ** 2 if z > 0.5 else high - (high - low) * math.sin(math.pi * z / 2) ** 2


def momentum_of(stage, height):
    if "momentum" not in stage.arguments:
        return None
    low, high = stage.arguments["momentum"]
    return high - (high - low) * height


def alone(rate):
    """A policy that leaves momentum alone."""
    return lambda stage, i: (rate(stage, stage.arguments, i), None)


def step(stage, a, i):
    return a["lr"] * power(a["gamma"], floor(i / stage.updates("every")))


def multistep(stage, a, i):
    return a["lr"] * power(a["gamma"], sum(ceiling(stage.place_of(at)) <= i for at in a["at"]))


def sigmoid(stage, a, i):
    exponent = -Fraction(a["gamma"]) * (i - stage.place_of(a["at"]))
    return 0.0 if exponent > 700 else a["lr"] / (1 + math.exp(exponent)) if exponent > -700 else a["lr"]


def warmed(after):
    """A policy that may begin with a warm-up of its own; `after` gets how much of the rest is done."""

    def rate(stage, a, i):
        warmup = stage.updates("warmup")
        if i < warmup and ceiling(warmup) > i:
            return a["lr"] * float(i / warmup)
        first = ceiling(warmup)
        return after(a, min(float((i - first) / (stage.horizon - first)), 1.0))

    return rate


def wsd(stage, a, i):
    warmup, cooldown = stage.updates("warmup"), stage.updates("cooldown", Length(20.0, "%"))
    if i < warmup and ceiling(warmup) > i:
        return a["lr"] * float(i / warmup)
    cooldown = min(cooldown, stage.horizon - ceiling(warmup))
    z = float(min(max((i - (stage.horizon - cooldown)) / cooldown, 0), 1))
    if stage.horizon - cooldown - i > -leniency(stage.horizon):
        return a["lr"]
    left = {"sqrt": 1 - math.sqrt(z), "linear": 1 - z, "cos": half_cosine(1.0, 0.0, z)}
    return a["lr"] * left[a.get("shape", "sqrt")]


def poly(stage, a, i):
    return a["lr"] * power(float(max(1 - i / stage.horizon, 0)), a["power"])


def rex(stage, a, i):
    left = float(max(1 - i / stage.horizon, 0))
    return a["lr"] * left / (0.5 + left / 2)


def inverse_sqrt(stage, a, i):
    warmup = stage.updates("warmup")
    if i < warmup and ceiling(warmup) > i:
        return a["lr"] * float(i / warmup)
    scale = stage.updates("timescale") or warmup or Fraction(10_000)
    return a["lr"] * math.sqrt(scale / (scale + i - ceiling(warmup)))


def cosine_restarts(stage, a, i):
    period, mult = stage.updates("period"), Fraction(a.get("mult", 1.0))
    if mult == 1:
        start = period * floor(i / period)
    else:
        start = Fraction(0)
        while start + period <= i + leniency(i):
            start, period = start + period, period * mult
    return half_cosine(a["max"], a["min"], float(max(i - start, 0) / period))


def triangle(stage, i):
    """The 0-based cycle, and the height in it."""
    up, down = stage.updates("up" if "up" in stage.arguments else "step"), stage.updates("down" if "up" in stage.arguments else "step")
    cycle = floor(i / (up + down))
    place = max(i - cycle * (up + down), 0)
    return cycle, float(place / up if place <= up else (up + down - place) / down)


def triangular(stage, i):
    a, (_, height) = stage.arguments, triangle(stage, i)
    return a["base"] + (a["max"] - a["base"]) * height, momentum_of(stage, height)


def triangular2(stage, i):
    a, (cycle, height) = stage.arguments, triangle(stage, i)
    height *= power(0.5, cycle)
    return a["base"] + (a["max"] - a["base"]) * height, momentum_of(stage, height)


def exp_range(stage, i):
    a, (_, height) = stage.arguments, triangle(stage, i)
    decay = power(a["gamma"], i)
    if a.get("decays", "amplitude") == "bounds":
        return decay * (a["base"] + (a["max"] - a["base"]) * height), momentum_of(stage, height)
    return a["base"] + (a["max"] - a["base"]) * height * decay, momentum_of(stage, height * decay)


def one_cycle(stage, i):
    """Between turning points; what was reached last holds."""
    a = stage.arguments
    warmup, end = stage.updates("warmup", Length(30.0, "%")), stage.horizon - 1
    initial = a["max"] / a.get("div", 25.0)
    last = initial / a.get("final_div", 1e4)
    peak, end = max(warmup - 1, Fraction(0)), max(end, Fraction(0))
    i = min(i, end)
    points = [(Fraction(0), initial, 0.0), (peak, a["max"], 1.0), (end, last, 0.0)]
    if a.get("phases") == 3:
        points.insert(2, (2 * peak, initial, 0.0))
    if i == 0 and peak == 0:
        return a["max"], momentum_of(stage, 1.0)
    reached = points[0]
    for point in points[1:]:
        if point[0] == reached[0] == end:
            break
        if reached[0] < point[0] and i <= point[0]:
            z = float((i - reached[0]) / (point[0] - reached[0]))
            part = z if a.get("anneal") == "linear" else half_cosine(0.0, 1.0, z)
            rate, height = (start + (stop - start) * part for start, stop in zip(reached[1:], point[1:]))
            return rate, momentum_of(stage, height)
        reached = point
    return reached[1], momentum_of(stage, reached[2])


def one_cycle_smith(stage, i):
    a, size = stage.arguments, stage.updates("step")
    if i <= size:
        height = float(i / size)
        return a["base"] + (a["max"] - a["base"]) * height, momentum_of(stage, height)
    height = float(max(2 * size - i, 0) / size)
    if floor(i / size) >= 2:
        return a["base"] / 1000, momentum_of(stage, 0.0)
    return a["max"] * height, momentum_of(stage, height)


RATES = {
    "fixed": alone(lambda stage, a, i: a["lr"]),
    "step": alone(step),
    "multistep": alone(multistep),
    "exponential": alone(lambda stage, a, i: a["lr"] * power(a["gamma"], i)),
    "inv": alone(lambda stage, a, i: a["lr"] * power(1 + a["gamma"] * i, -a["power"])),
    "sigmoid": alone(sigmoid),
    "poly": alone(poly),
    "linear": alone(warmed(lambda a, z: a["lr"] + (a.get("end", 0.0) - a["lr"]) * z)),
    "cosine": alone(warmed(lambda a, z: half_cosine(a["lr"], a.get("min", 0.0), z))),
    "inverse_sqrt": alone(inverse_sqrt),
    "wsd": alone(wsd),
    "rex": alone(rex),
    "cosine_restarts": alone(cosine_restarts),
    "triangular": triangular,
    "triangular2": triangular2,
    "exp_range": exp_range,
    "one_cycle": one_cycle,
    "one_cycle_smith": one_cycle_smith,
}


# Random specs.


def random_spec(chance, n):
    updates = chance.choice([1, 2, 3, 7, 10, 100, chance.randint(1, 300), chance.randint(1, 20_000), chance.randint(1, 99_999)])
    if chance.random() < 0.05:
        updates = chance.choice([10**6, 10**9])
    examples = chance.choice([None, 1001, 50_000, 60_000])
    run = Run(updates, examples, chance.choice([64, 100, 128]))
    names = [list(RATES)[n % len(RATES)], *chance.choices(list(RATES), k=chance.choice([0, 0, 0, 1, 2]))]
    stages = []
    for k, name in enumerate(names):
        if chance.random() < 0.2:
            length = chance.choice([Length(max(1, updates // 20)), Length(5.0, "%"), Length(3.3, "%")])
            stages.append(Stage("warmup", {"from": chance.choice([0.0, random_rate(chance)])}, length))
        length = chance.choice([Length(max(1, updates // 4)), Length(20.0, "%"), Length(33.3, "%")])
        stages.append(Stage(name, arguments_of(name, run, chance), length if k + 1 < len(names) else None))
    return run, Spec(stages)


def random_rate(chance):
    if chance.random() < 0.15:
        return 10 ** chance.choice([chance.uniform(-300, -12), chance.uniform(1, 12)])
    return float(f"{10 ** chance.uniform(-7, 1):.{chance.choice([1, 2, 17])}g}")


def random_length(chance, run, most=None):
    most = most or max(2, 2 * run.updates)
    if run.epoch and chance.random() < 0.15:
        return Length(round(chance.uniform(0.3, 5), chance.choice([0, 1, 3])) or 1.0, "ep")
    if chance.random() < 0.5:
        return Length(max(1, int(math.exp(chance.uniform(0, math.log(most))))))
    return Length(chance.choice([100 / 3, 33.3, 10.0, 50.0, 5.0, 0.1, 100.0, 12.5, 5.4, round(chance.uniform(0.01, 100), 2)]), "%")


def arguments_of(name, run, chance):
    def length(most=None):
        return random_length(chance, run, most)

    def maybe(key, value):
        return {key: value()} if chance.random() < 0.5 else {}

    lr = {"lr": random_rate(chance)}
    low, high = sorted([random_rate(chance), random_rate(chance)])
    half = max(2, run.updates // 2)
    momentum = maybe("momentum", lambda: tuple(sorted(round(chance.uniform(0, 0.99), 2) for _ in range(2))))
    wave = {"base": low, "max": high} | ({"up": length(), "down": length()} if chance.random() < 0.5 else {"step": length()})
    warmup = maybe("warmup", lambda: length(half))
    return {
        "fixed": lambda: lr,
        "step": lambda: lr | {"gamma": chance.choice([0.1, 0.5, 0.97, 1.5]), "every": length()},
        "multistep": lambda: lr | {"gamma": chance.choice([0.1, 0.5, 0.316, 2.0]), "at": random_places(chance, run)},
        "exponential": lambda: lr | {"gamma": chance.choice([0.9, 0.99, 0.999999, 1.0, 0.5, 1.0001])},
        "inv": lambda: lr | {"gamma": 10 ** chance.uniform(-6, 1), "power": chance.choice([0.5, 0.75, 1.0, 2.0])},
        "sigmoid": lambda: lr | {"gamma": chance.choice([-1, 1]) * 10 ** chance.uniform(-5, 1), "at": length(run.updates + 1)},
        "poly": lambda: lr | {"power": chance.choice([0.5, 0.9, 1.0, 2.0, 3.0])},
        "linear": lambda: lr | maybe("end", lambda: random_rate(chance)) | warmup,
        "cosine": lambda: lr | maybe("min", lambda: min(random_rate(chance), lr["lr"])) | warmup,
        "inverse_sqrt": lambda: lr | maybe("timescale", length) | warmup,
        "wsd": lambda: lr | warmup | maybe("cooldown", lambda: length(half)) | maybe("shape", lambda: chance.choice(["sqrt", "linear", "cos"])),
        "rex": lambda: lr,
        "cosine_restarts": lambda: {"max": high, "min": low, "period": length()} | maybe("mult", lambda: chance.choice([1.0, 1.25, 1.5, 2.0, 3.0, 10.0])),
        "triangular": lambda: wave | momentum,
        "triangular2": lambda: wave | momentum,
        "exp_range": lambda: wave | {"gamma": chance.choice([0.99994, 0.9, 1.0, 0.5])} | maybe("decays", lambda: chance.choice(["amplitude", "bounds"])) | momentum,
        "one_cycle": lambda: {"max": high} | warmup | maybe("div", lambda: chance.choice([1.0, 10.0, 25.0, 1e4]))
        | maybe("final_div", lambda: chance.choice([1.0, 100.0, 1e4, 1e8])) | maybe("anneal", lambda: chance.choice(["cos", "linear"]))
        | maybe("phases", lambda: chance.choice([2, 3])) | momentum,
        "one_cycle_smith": lambda: {"base": low, "max": high, "step": length()} | momentum,
    }[name]()


def random_places(chance, run):
    if chance.random() < 0.5:
        return [Length(x, "%") for x in sorted({round(chance.uniform(1, 99), 1) for _ in range(3)})]
    return [Length(x) for x in sorted({chance.randint(1, max(1, run.updates - 1)) for _ in range(3)})]


# The comparison.


def check(cyclr, run, spec, chance):
    """How it went, in a word, and what is wrong."""
    try:
        spec.place(run)
        reason = None
    except Refused as refused:
        reason = str(refused)
    updates = wanted_updates(spec, run, chance, reason)
    command = [cyclr, "schedule", spec.text(), *run.options(), "--at", ",".join(map(str, updates)), "--format", "csv"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    if done.returncode == 2:
        return ("refused", None) if reason or is_right_to_refuse(done.stderr, spec) else ("REFUSED", done.stderr)
    if done.returncode != 0:
        return "FAILED", done.stderr
    if reason:
        return "ACCEPTED", reason
    for row in csv.DictReader(done.stdout.splitlines()):
        fault = differs(row, *spec.at(int(row["update"])), spec.largest(), run)
        if fault:
            return "DIFFERS", fault
    return "agrees", None


def wanted_updates(spec, run, chance, reason):
    updates = {0, 1, 2, run.updates // 2, run.updates - 1, run.updates, run.updates + 5, 2**63}
    updates |= {chance.randint(0, run.updates) for _ in range(12)}
    for stage in spec.stages if reason is None else ():
        updates |= {max(stage.first - 1, 0), stage.first, stage.first + 1, stage.end - 1}
    return sorted(updates)


def differs(row, rate, momentum, largest, run):
    tolerance = 1e-12 if run.updates <= 100_000 else 1e-9
    lr, found = float(row["lr"]), float(row["momentum"]) if row["momentum"] else None
    if not abs(lr - rate) <= tolerance * max(largest, rate):
        return f"the rate of update {row['update']} is {lr!r}, and should be {rate!r}"
    if (found is None) != (momentum is None) or (found is not None and not abs(found - momentum) <= tolerance):
        return f"the momentum of update {row['update']} is {found!r}, and should be {momentum!r}"
    return None


def is_right_to_refuse(said, spec):
    """Whether what is said to be wrong is refused by the documentation, and true."""
    takes = re.search(r"(warmup|cooldown) takes (\S+) of (\S+) updates", said)
    if takes:
        return float(takes[2]) >= float(takes[3]) * (1 - 1e-12)
    place = re.search(r"is at update (\S+), and the policy has the updates from (\S+) to (\S+)", said)
    if place:
        at, first, last = (float(word.rstrip(":;,.")) for word in place.groups())
        return not first < at < last
    too_fast = re.search(r"the rate is (\S+) at update (\d+)", said)
    # It may be the rate that the last update of a stage leads to.
    return bool(too_fast) and not all(math.isfinite(spec.at(int(too_fast[2]) - back)[0]) for back in (0, 1))


if __name__ == "__main__":
    main()
