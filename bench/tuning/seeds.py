"""How the demo's verdict depends on the tuning seed: 20 seeds, replayed under several rules for the peak rate.

    python3 seeds.py --study > seeds.toml               # the demo's policies at rates a factor sqrt(2) apart
    cyclr compare --study seeds.toml --out SEEDS        # some forty minutes of one core
    python3 seeds.py --bank SEEDS/result.json           # writes seeds.csv
    python3 seeds.py                                    # needs numpy and scipy
"""

import collections
import itertools
import math
import pathlib
import statistics
import sys

import numpy
import repeats
import schemes

BANK = pathlib.Path(__file__).with_name("seeds.csv")
MAX_LR = 0.03564514143973302
FIXED_LR = MAX_LR / 4
RATES = {"fixed": range(-12, 3), "triangular2": range(-6, 7), "linear": range(-6, 5)}
SPECS = {
    "fixed": "fixed(lr={peak})",
    "triangular2": "triangular2(base={base}, max={peak}, step=12.5%)",
    "linear": "linear(lr={peak}, warmup=5%)",
}
FINAL = [1, 2, 3, 4, 5]
TUNING = list(range(1001, 1021))
MARGIN = 0.5


def study():
    print(f"""title = "seeds"
[train]
net = "mlp"
data = "fashion"
batch = 100
optimizer = "sgd"
momentum = 0.9
[[comparison]]
name = "seeds"
updates = 1280
reference = "fixed@0"
evaluations = 2
seeds = {FINAL + TUNING}""")
    for arm, rates in RATES.items():
        for rate in rates:
            peak = MAX_LR * 2 ** (rate / 2)
            spec = SPECS[arm].format(peak=f"{peak:.4g}", base=f"{peak / 25:.4g}")
            print(f'[[comparison.arm]]\nlabel = "{arm}@{rate}"\npolicy = "{spec}"\ntuned = false')


def best(points):
    """The best rate, and the lowest of equals."""
    return max(sorted(points), key=points.get)


def vertex(points):
    """The vertex of a parabola through the rates within two octaves, at most a factor sqrt(2) from the best."""
    centre = best(points)
    near = {r: v for r, v in points.items() if abs(r - centre) <= 4}
    if len(near) < 3 or centre in (min(points), max(points)):
        return centre
    a, b, _ = numpy.polyfit([r - centre for r in near], list(near.values()), 2)
    return centre + min(max(-b / (2 * a), -1), 1) if a < 0 else centre


def trough(points, depth=2 * MARGIN, beyond=4):
    """The centre of the rates within two margins of the best, by a fine sum: the rule of cyclr."""
    centre = best(points)
    rates = sorted(points)
    x = [rates[0] - beyond, *rates, rates[-1] + beyond]
    y = [0, *(depth - min(points[centre] - points[r], 4 * depth) for r in rates), 0]
    fine = numpy.linspace(x[0], x[-1], 20001)
    area = numpy.maximum(numpy.interp(fine, x, y), 0)
    middle = float((fine * area).sum() / area.sum())
    return min(max(middle, centre - 1, rates[0]), centre + 1, rates[-1])


RULES = {"best trial": best, "vertex of a parabola": vertex, "centre of the trough": trough}


def tried(bank, seeds, most):
    """Each arm's search, and its validation value at every rate that it tries, after at most ``rounds`` rounds."""
    searches = {arm: schemes.Search(bank, arm) for arm in RATES}
    grids = schemes.rounds(searches, 1.0, seeds, most)
    trials = {arm: {rate: search.value(rate, 1.0, seeds) for rate in grids[arm]} for arm, search in searches.items()}
    return searches, trials


def chosen(bank, seeds, most, rule):
    """Each arm's peak rate in half octaves, after the common rates and at most ``rounds`` rounds."""
    searches, trials = tried(bank, seeds, most)
    rates = {}
    for arm, search in searches.items():
        # The nearest rate that was trained; halves up.
        rates[arm] = min(max(math.floor(rule(trials[arm]) + 0.5), search.lowest), search.highest)
    return rates, statistics.mean(search.cost() for search in searches.values())


def peaks(bank):
    """How far the peaks of one tuning seed lie from what the range test finds, by the rule of cyclr."""
    of_seeds = [tried(bank, [seed], 4)[1] for seed in TUNING]
    for arm, rates in RATES.items():
        found = FIXED_LR if arm == "fixed" else MAX_LR
        ratios = [MAX_LR * 2 ** (trough(trials[arm]) / 2) / found for trials in of_seeds]
        means = {rate: schemes.test(bank, arm, rate, TUNING + FINAL) for rate in rates}
        best_rate = MAX_LR * 2 ** (best(means) / 2) / found
        within = sum(0.5 <= ratio <= 2 for ratio in ratios)
        yield (
            f"{arm}: peaks over what was found, median {statistics.median(ratios):.2f}, "
            f"{min(ratios):.2f} to {max(ratios):.2f}, {within} of {len(ratios)} within 2; best by the test, all seeds: {best_rate:.2f}"
        )


def lost(bank, arm, rate, tuned):
    """Points of test accuracy below the arm's best rate, by the seeds that tuning did not see."""
    unseen = [seed for seed in TUNING + FINAL if seed not in tuned]
    best = max(schemes.test(bank, arm, other, unseen) for other in RATES[arm])
    return best - schemes.test(bank, arm, rate, unseen)


def main():
    if "--study" in sys.argv:
        return study()
    if "--bank" in sys.argv:
        schemes.write(sys.argv[-1], BANK)
    bank = schemes.read(BANK)
    finals = {key: {seed: runs[seed] for seed in FINAL} for key, runs in bank.items()}
    pairs = [list(pair) for pair in zip(TUNING[::2], TUNING[1::2])]
    plans = [("one seed", [[seed] for seed in TUNING]), ("two seeds", pairs)]
    print("| tuned on | rule | n | runs an arm | triangular2 | linear | points lost by fixed, triangular2, linear | sd of the rate, octaves | both better | mixed | both undecided |")
    for (words, tuned), (name, rule) in itertools.product(plans, RULES.items()):
        choices = [chosen(bank, seeds, 4, rule) for seeds in tuned]
        judged = [repeats.judged(finals, rates) for rates, _ in choices]
        differences = zip(*(d for d, _ in judged))
        said = [f"{statistics.mean(d):+.2f} (sd {statistics.stdev(d):.2f})" for d in differences]
        spread = ", ".join(f"{statistics.stdev(rates[arm] / 2 for rates, _ in choices):.2f}" for arm in RATES)
        below = [
            statistics.mean(lost(bank, arm, rates[arm], seeds) for (rates, _), seeds in zip(choices, tuned)) for arm in RATES
        ]
        below = ", ".join(f"{points:.2f}" for points in below)
        verdicts = collections.Counter(verdict for _, verdict in judged)
        both = [verdicts[word, word] for word in ("better", "undecided")]
        mixed = len(judged) - sum(both)
        cost = statistics.mean(cost for _, cost in choices)
        print(f"| {words} | {name} | {len(judged)} | {cost:.1f} | {said[0]} | {said[1]} | {below} | {spread} | {both[0]} | {mixed} | {both[1]} |")
    for line in peaks(bank):
        print(line)
    errors = [error for seed in TUNING for error in standard_errors(finals, chosen(bank, [seed], 4, trough)[0])]
    print(f"standard error of a difference over the final seeds: {statistics.mean(errors):.2f} (mean, centre of the trough)")


def standard_errors(finals, rates):
    """Of the two differences from the fixed rate, at the chosen rates."""
    for arm in schemes.ARMS[1:]:
        pairs = [finals[arm, rates[arm], 1.0][seed][1] - finals["fixed", rates["fixed"], 1.0][seed][1] for seed in FINAL]
        yield statistics.stdev(pairs) / len(pairs) ** 0.5


if __name__ == "__main__":
    main()
