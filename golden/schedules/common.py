"""What the generators share: random configurations, the choice of updates, and the file format."""

import json
import math
import platform
import random
from pathlib import Path

HERE = Path(__file__).parent


class Table:
    """One file of cases: a header line, then one case a line.

    A case holds the spec text, the horizon `updates`, and rows [update, lr, momentum or null]. Numbers are written
    by `repr`, so they read back to the same f64.
    """

    def __init__(self, name, library, version, script, **more):
        self.name = name
        self.header = {
            "library": library,
            "version": version,
            "python": platform.python_version(),
            "script": script,
            **more,
        }
        self.cases = []

    def add(self, case, spec, updates, rows, **more):
        rows = [[i, float(lr), None if m is None else float(m)] for i, lr, m in rows]
        for i, lr, m in rows:
            assert math.isfinite(lr) and (m is None or math.isfinite(m)), (spec, i, lr, m)
        self.cases.append({"case": case, "spec": spec, "updates": updates, "rows": rows, **more})

    def write(self):
        lines = [json.dumps(line) for line in (self.header, *self.cases)]
        (HERE / f"{self.name}.jsonl").write_text("\n".join(lines) + "\n")


def generator(name):
    """A random generator of its own for each table, so that one can change without moving the others."""
    return random.Random(f"cyclr {name}")


def rate(rng, low=1e-4, high=1.0):
    """A learning rate, uniform in its logarithm; half of them are round, as people write them."""
    value = math.exp(rng.uniform(math.log(low), math.log(high)))
    return float(f"{value:.1e}") if rng.random() < 0.5 else value


def bounds(rng):
    """(base, max) with base < max; base is 0 now and then."""
    top = rate(rng, 1e-3, 3.0)
    base = 0.0 if rng.random() < 0.1 else top * rng.choice([0.1, 0.25, rng.uniform(0.01, 0.9)])
    return base, top


def floor_rate(rng, top):
    """The lower end of an annealing from `top`: often 0."""
    return 0.0 if rng.random() < 0.4 else top * rng.uniform(0.001, 0.5)


def momenta(rng):
    """(lo, hi) of a cycled momentum."""
    return rng.choice([(0.8, 0.9), (0.85, 0.95), (round(rng.uniform(0.5, 0.84), 3), round(rng.uniform(0.85, 0.99), 3))])


def horizon(rng, low=20):
    """A number of updates: mostly short, some of them just below 1e5."""
    kind = rng.random()
    if kind < 0.6:
        return rng.randint(low, 3_000)
    if kind < 0.85:
        return rng.randint(3_000, 30_000)
    return rng.randint(90_000, 99_990)


def pick(rng, updates, marks=(), last=None, extra=(), randoms=5, most_marks=4):
    """The updates to record: 0, 1, the end, random ones, and each mark with its neighbours; none past `last`."""
    last = updates if last is None else last
    marks = [m for m in marks if 0 <= m <= last]
    if len(marks) > most_marks:
        marks = [marks[0], *rng.sample(marks[1:-1], most_marks - 2), marks[-1]]
    wanted = {0, 1, updates - 1, updates, *extra}
    for mark in marks:
        wanted |= {math.floor(mark) - 1, math.floor(mark), math.floor(mark) + 1}
    wanted |= {rng.randint(0, last) for _ in range(randoms)}
    return sorted({i for i in wanted if 0 <= i <= last} | {i for i in extra if i >= 0})


def spec(name, *flags, **keys):
    """The text of a policy; floats by `repr`, lists in brackets, None left out."""
    shown = [*flags, *(f"{key.rstrip('_')}={text(value)}" for key, value in keys.items() if value is not None)]
    return f"{name}({', '.join(shown)})"


def text(value):
    if isinstance(value, list):
        return f"[{', '.join(map(text, value))}]"
    if isinstance(value, tuple):
        return "..".join(map(text, value))
    return repr(value) if isinstance(value, float) else str(value)
