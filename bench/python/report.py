"""The arms of the trainings, and RESULTS.md from what was measured."""

import math
import os
import platform
import statistics
from importlib.metadata import version
from pathlib import Path

import cyclr

PACKAGES = ("cyclr", "torch", "torch-lr-finder", "fastai", "lightning")
# What is trained at, as (tool, answer, policy): each tool's default answer, under both policies.
FIXED, CYCLES = "fixed", "triangular2"
REFERENCE = ("cyclr", "max_lr", CYCLES)
ARMS = [
    REFERENCE,
    ("cyclr", "max_lr", FIXED),
    ("torch-lr-finder", "steepest", FIXED),
    ("torch-lr-finder", "steepest", CYCLES),
    ("fastai", "valley", FIXED),
    ("fastai", "valley", CYCLES),
    ("Lightning", "suggestion", FIXED),
    ("Lightning", "suggestion", CYCLES),
]
HEADER = [
    "| tool | answer | updates of a test | answers | median answer | sd, decades | test / bare | fixed there, % | triangular2 to there, % |",
    "|---|---|---|---|---|---|---|---|---|",
]


def spec(answers, answer, policy, step):
    """The policy of an arm, None without an answer: up to it from ``base_lr``, or from a quarter where a tool gives one number."""
    lr = answers[answer]
    if lr is None:
        return None
    if policy == FIXED:
        return f"fixed(lr={lr!r})"
    return f"triangular2(base={answers.get('base_lr', lr / 4)!r}, max={lr!r}, step={step})"


def write(path, records, settings, tools):
    """Writes RESULTS.md from all that was measured so far."""
    parts = {part: [r for r in records if r["part"] == part] for part in ("stability", "accuracy", "overhead")}
    last = max((r["session"] for r in parts["overhead"]), default=None)
    parts["overhead"] = [r for r in parts["overhead"] if r["session"] == last]
    text = [
        *facts(parts, settings),
        "",
        *table(parts, tools),
        "",
        *differences(parts["accuracy"]),
        *silences(parts["stability"]),
    ]
    path.write_text("\n".join(text) + "\n")


def facts(parts, settings):
    """What was measured, on what, and how."""
    plan = cyclr.cycles(examples=50_000, batch=100, updates=settings["train_updates"])
    timed = parts["overhead"][0] if parts["overhead"] else None
    smoke = [] if settings["scale"] == 1 else ["**A smoke run with tiny counts: its figures mean nothing.**", ""]
    return [
        "# The range test beside torch-lr-finder, fastai and Lightning",
        "",
        *smoke,
        f"{dates(parts)}; {timed['machine'] if timed else machine()}; "
        + ", ".join(f"{name} {number}" for name, number in versions().items())
        + ".",
        "",
        "One net, optimizer, loader and data set for all: Caffe's `cifar10_quick` with its initial weights, SGD with momentum 0.9 and",
        "weight decay 0.004 in one group, CIFAR-10's 50,000 training images (0 to 255 less the mean image) in random order, batch 100,",
        "f32, channels_last, CPU. Each tool runs with its own defaults, torch-lr-finder from the 1e-7 of its README. They differ most in",
        "updates: at most 1,000 for cyclr, 100 for the others; a sweep that diverges ends sooner. Of cyclr there is a row with 300 too. As",
        "by default, its sweep and its probes start from the same weights.",
        "",
        "- **answers**: of the seeds, how many got one. **sd**: of log10 of the answers over those seeds, each with its own initial",
        "  weights and order of the data; in brackets its 95 % interval (chi-squared).",
        *overhead_note(timed),
        f"- **%**: accuracy on the 10,000 test images, read once, after {plan.updates} updates at that seed's own answer, from the weights that the",
        "  test began with: mean ± 95 % t interval (n seeds). fixed: at the answer. triangular2: from base_lr to max_lr for cyclr, from a",
        f"  quarter of the answer for tools that give one number, {plan.cycles} cycles. No tool's answer is tuned further. A training whose loss",
        "  stopped being finite counts as 10 %.",
    ]


def overhead_note(timed):
    """How the tests were timed."""
    if timed is None:
        return ["- **test / bare**: not measured yet (`--only overhead`)."]
    return [
        "- **test / bare**: seconds of a whole test, from its objects to the answer with everything restored, over those of as many bare",
        f"  updates, in turn one before the other: median (quartiles; rounds), {timed['threads']} threads, load average {timed['load']:.1f} at the",
        "  start (another program at work makes it worse). cyclr is timed with 300 updates rather than 1,000, answer or not;",
        "  torch-lr-finder with the plot that is the only way to its answer. A tool without a figure was not timed as it is now.",
    ]


def dates(parts):
    """When it was measured."""
    days = sorted({record["date"] for records in parts.values() for record in records})
    return " to ".join(dict.fromkeys([days[0], days[-1]])) if days else "nothing measured yet"


def versions():
    """Python and the packages that decide."""
    return {"Python": platform.python_version(), **{name: version(name) for name in PACKAGES}}


def machine():
    """The processor and the system."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return f"{names[0] if names else platform.processor()}, {os.cpu_count()} cores, {platform.system()} {platform.release()}"


def table(parts, tools):
    """The table: a row for each answer of each tool."""
    rows = list(HEADER)
    for tool in tools:
        tests = [record for record in parts["stability"] if record["tool"] == tool]
        for answer in tests[0]["answers"] if tests else ():
            arms = [cell(values(parts["accuracy"], (tool, answer, policy))) for policy in (FIXED, CYCLES)]
            shown = [tool, answer, *answered(tests, answer), ratio(parts["overhead"], tool), *arms]
            rows.append("| " + " | ".join(shown) + " |")
    return rows


def answered(tests, answer):
    """Updates, answers of seeds, their median and their spread."""
    found = [test["answers"][answer] for test in tests if test["answers"][answer] is not None]
    made = statistics.median(test["updates"] for test in tests)
    middle = f"{statistics.median(found):.2g}" if found else "-"
    return f"{made:.0f}", f"{len(found)} of {len(tests)}", middle, spread([math.log10(lr) for lr in found])


def spread(logs):
    """A standard deviation with its interval."""
    if len(logs) < 2:
        return "-"
    from scipy.stats import chi2

    sd, free = statistics.stdev(logs), len(logs) - 1
    low, high = (sd * math.sqrt(free / chi2.ppf(p, free)) for p in (0.975, 0.025))
    return f"{sd:.2f} ({low:.2f}-{high:.2f})"


def ratio(timed, tool):
    """How much longer a test takes than its updates."""
    ratios = [record["test_s"] / record["bare_s"] for record in timed if record["tool"] == tool]
    if len(ratios) < 2:
        return "-"
    low, middle, high = statistics.quantiles(ratios, n=4, method="inclusive")
    return f"{middle:.3f} ({low:.3f}-{high:.3f}; {len(ratios)})"


def values(trainings, arm):
    """The accuracies of an arm by seed."""
    return {record["seed"]: record["per_cent"] for record in trainings if tuple(record["arm"]) == arm}


def cell(by_seed, sign=""):
    """Mean ± half of its interval, and n."""
    if len(by_seed) < 2:
        return "-"
    found = cyclr.summary(list(by_seed.values()))
    return f"{found.mean:{sign}.1f} ± {found.interval[1] - found.mean:.1f} ({found.n})"


def differences(trainings):
    """Each arm less the reference, on the seeds that both have."""
    reference = values(trainings, REFERENCE)
    lines = [
        "Accuracy less that of cyclr's triangular2, in points, paired by seed: mean ± 95 % t interval (n), unadjusted for their number."
    ]
    for arm in ARMS[1:]:
        own = values(trainings, arm)
        paired = {seed: own[seed] - reference[seed] for seed in own if seed in reference}
        lost = sum(record["diverged"] for record in trainings if tuple(record["arm"]) == arm)
        lines.append(f"- {arm[0]}, {arm[2]}, {arm[1]}: {cell(paired, '+')}" + (f"; {lost} diverged" if lost else ""))
    return [lines[0], "", *lines[1:], ""]


def silences(tests):
    """Why there was no answer."""
    reasons = {}
    for test in tests:
        if None in test["answers"].values():
            reasons.setdefault((test["tool"], test["said"]), []).append(test["seed"])
    lines = [f"- {tool}, seed {', '.join(map(str, seeds))}: {said}" for (tool, said), seeds in reasons.items()]
    return ["Where there was no answer:", "", *lines] if lines else []
