"""The meaning of the spec grammar, evaluated in mpmath at 50 digits.

It is not a source of golden values where a library exists. `make.py` holds every table against it, so that a wrong
mapping from a library's arguments to our spec, or a library run long enough to drift, is found before it is written.
"""

import re

from mpmath import cos, exp, floor, mp, mpf, pi, sqrt

mp.dps = 50

CYCLICAL = {"triangular", "triangular2", "exp_range", "one_cycle", "one_cycle_smith"}


def at(spec, updates, i):
    """(lr, momentum or None) of update i, as mpf. Past the end the value at `updates` holds."""
    return _chain(_stages(spec), mpf(updates), mpf(min(i, updates)))


def top_rate(spec):
    """The largest rate that the text names: the scale of the tolerance."""
    return max(mpf(v) for v in re.findall(r"(?:\blr|max|base)=([^,)]+)", spec))


def _stages(spec):
    """The stages in turn. A repeat is its stages, written out as often, at rates that fall by gamma each time."""
    repeat = re.fullmatch(r"\((.*)\) x (\d+)(?: gamma=(\S+))?(?: then (.*))?", spec)
    if repeat:
        inside, times, gamma, rest = repeat.groups()
        gamma = mpf(float(gamma or 1))
        turns = [_stage(part, gamma**k) for k in range(int(times)) for part in inside.split(" then ")]
        return turns + (_stages(rest) if rest else [])
    first, *rest = spec.split(" then ", 1)
    return [_stage(first, mpf(1))] + (_stages(rest[0]) if rest else [])


def _stage(part, factor):
    name, inside, length = re.fullmatch(r"(\w+)\((.*)\)(?: for (\S+))?", part).groups()
    keys = dict(re.findall(r"(\w+)=(\[[^]]*\]|[^,]+)", inside))
    if name == "warmup":
        keys["length"] = inside.split(",")[0]
    return name, keys, length, factor


def _length(shown, updates):
    if shown.endswith("%"):
        return mpf(float(shown[:-1])) / 100 * updates
    return mpf(int(shown))


def _chain(stages, updates, i):
    """A warm-up takes what follows as its policy; other stages each count from their own 0."""
    (name, keys, length, factor), rest = stages[0], stages[1:]
    if name == "warmup":
        start = factor * mpf(float(keys.get("from", "0")))
        return _warmed(keys["length"], start, updates, i, lambda n, j: _chain(rest, n, j))
    own = _length(length, updates) if length else updates
    start = mpf(0)
    while rest and i >= start + own:
        start += own
        (name, keys, length, factor), rest = rest[0], rest[1:]
        own = _length(length, updates) if length else updates - start
    assert rest or start + own == updates, "the stages do not fill the run"
    lr, momentum = _policy(name, keys, own, i - start)
    return factor * lr, momentum


def _warmed(length, start, updates, i, then):
    w = _length(length, updates)
    if i >= w:
        return then(updates - w, i - w)
    lr, momentum = then(updates - w, mpf(0))
    return start + (lr - start) * i / w, momentum


def _policy(name, keys, n, i):
    if name in {"linear", "cosine", "wsd", "inverse_sqrt"} and "warmup" in keys:
        inner = {k: v for k, v in keys.items() if k != "warmup"}
        inner.setdefault("timescale", keys["warmup"])
        return _warmed(keys["warmup"], mpf(0), n, i, lambda m, j: _policy(name, inner, m, j))
    if name in CYCLICAL:
        return _cyclical(name, keys, n, i)
    return _decaying(name, keys, n, i), None


def _number(keys, key, default=None):
    return mpf(float(keys[key] if key in keys else default))


def _decaying(name, keys, n, i):
    z = i / n
    if name == "cosine_restarts":
        top, low, mult = _number(keys, "max"), _number(keys, "min"), int(keys.get("mult", "1"))
        period, j = _length(keys["period"], n), i
        while j >= period:
            j, period = j - period, period * mult
        return low + (top - low) * (1 + cos(pi * j / period)) / 2
    lr = _number(keys, "lr")
    if name == "fixed":
        return lr
    if name == "step":
        return lr * _number(keys, "gamma") ** floor(i / _length(keys["every"], n))
    if name == "multistep":
        drops = [_length(mark.strip(), n) for mark in keys["at"].strip("[]").split(",")]
        return lr * _number(keys, "gamma") ** sum(i >= drop for drop in drops)
    if name == "exponential":
        return lr * _number(keys, "gamma") ** i
    if name == "inv":
        return lr * (1 + _number(keys, "gamma") * i) ** -_number(keys, "power")
    if name == "inverse_sqrt":
        scale = _length(keys.get("timescale", "10000"), n)
        return lr * sqrt(scale / (scale + i))
    if name == "sigmoid":
        return lr / (1 + exp(-_number(keys, "gamma") * (i - _length(keys["at"], n))))
    if name == "poly":
        return lr * (1 - z) ** _number(keys, "power")
    if name == "linear":
        end = _number(keys, "end", 0)
        return lr + (end - lr) * z
    if name == "cosine":
        low = _number(keys, "min", 0)
        return low + (lr - low) * (1 + cos(pi * z)) / 2
    if name == "rex":
        return lr * (1 - z) / (mpf(1) / 2 + (1 - z) / 2)
    if name == "wsd":
        cooldown = _length(keys.get("cooldown", "20%"), n)
        p = max(mpf(0), (i - (n - cooldown)) / cooldown)
        return lr * {"sqrt": 1 - sqrt(p), "linear": 1 - p, "cos": (1 + cos(pi * p)) / 2}[keys.get("shape", "sqrt")]
    raise ValueError(name)


def _cyclical(name, keys, n, i):
    lo, hi = (mpf(float(v)) for v in keys["momentum"].split("..")) if "momentum" in keys else (None, None)
    if name == "one_cycle":
        return _one_cycle(keys, n, i, lo, hi)
    base, top = _number(keys, "base"), _number(keys, "max")
    if "step" in keys:
        up = down = _length(keys["step"], n)
    else:
        up, down = _length(keys["up"], n), _length(keys["down"], n)
    if name == "one_cycle_smith":
        tri = max(mpf(0), 1 - abs(i / up - 1))
        lr = base + (top - base) * tri if i <= up else top * tri if i < 2 * up else base / 1000
        return lr, None if lo is None else hi - (hi - lo) * tri
    cycle = floor(i / (up + down))
    p = i - cycle * (up + down)
    tri = p / up if p <= up else (up + down - p) / down
    decay, both = mpf(1), mpf(1)
    if name == "triangular2":
        decay = mpf(2) ** -cycle
    elif name == "exp_range" and keys.get("decays", "amplitude") == "amplitude":
        decay = _number(keys, "gamma") ** i
    elif name == "exp_range":
        both = _number(keys, "gamma") ** i
    momentum = None if lo is None else hi - (hi - lo) * tri * decay
    return both * (base + (top - base) * tri * decay), momentum


def _one_cycle(keys, n, i, lo, hi):
    top = _number(keys, "max")
    first = top / _number(keys, "div", 25)
    last = first / _number(keys, "final_div", 1e4)
    w = _length(keys.get("warmup", "30%"), n)
    points = [(mpf(0), first, hi), (w - 1, top, lo)]
    if keys.get("phases", "2") == "3":
        points.append((2 * w - 2, first, hi))
    points.append((n - 1, last, hi))
    i = min(i, n - 1)
    for (a, lr_a, m_a), (b, lr_b, m_b) in zip(points, points[1:]):
        if i <= b:
            p = (i - a) / (b - a)
            p = p if keys.get("anneal", "cos") == "linear" else (1 - cos(pi * p)) / 2
            return lr_a + (lr_b - lr_a) * p, None if lo is None else m_a + (m_b - m_a) * p
    raise AssertionError
