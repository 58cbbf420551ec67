"""Makes the golden tables of the schedules, or those named: `python3 make.py [torch tfa …]`.

Before a table is written, each of its rows is held against the grammar's own meaning (grammar.py, 50 digits), and the
largest difference is printed, as a fraction of the case's largest rate.
"""

import importlib
import sys

import grammar

TABLES = ("torch", "tfa", "optax", "timm", "transformers", "caffe", "formulas", "paper")
SOURCES = {"caffe": "by_formulas:caffe", "formulas": "by_formulas:formulas"}
# A tenth of what our schedules are allowed, so that a library's own rounding cannot decide a test.
LIMIT = 1e-13


def main():
    for name in sys.argv[1:] or TABLES:
        module, function = SOURCES.get(name, f"by_{name}:make").split(":")
        table = getattr(importlib.import_module(module), function)()
        worst = max(difference(case) for case in table.cases)
        rows = sum(len(case["rows"]) for case in table.cases)
        print(f"{name}: {len(table.cases)} cases, {rows} rows, largest difference from the grammar's meaning {worst:.1e}")
        table.write()


def difference(case):
    """The case's largest |Δ| / max_lr, or |Δ| of momentum. Vectors with printed digits are held to those."""
    scale, worst = grammar.top_rate(case["spec"]), 0
    tolerances = case.get("tolerance", [LIMIT * scale] * len(case["rows"]))
    for (i, lr, momentum), tolerance in zip(case["rows"], tolerances, strict=True):
        want_lr, want_momentum = grammar.at(case["spec"], case["updates"], i)
        assert (momentum is None) == (want_momentum is None), case["spec"]
        off = abs(lr - want_lr)
        if off > tolerance:
            raise SystemExit(f"{case['case']}: {case['spec']} at {i} of {case['updates']}: {lr} is not {float(want_lr)}")
        worst = max(worst, off / scale)
        if momentum is not None:
            off = abs(momentum - want_momentum)
            if off > LIMIT:
                raise SystemExit(f"{case['case']}: {case['spec']} at {i}: momentum {momentum} is not {float(want_momentum)}")
            worst = max(worst, off)
    return float(worst)


if __name__ == "__main__":
    main()
