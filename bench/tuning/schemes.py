"""What tuning costs in the end: schemes replayed from a bank of whole trainings. README.md says more.

    python3 schemes.py            # needs numpy
    python3 schemes.py --bank RESULT.json   # writes bank.csv from what `cyclr compare --study grid.toml` left
"""

import csv
import itertools
import json
import pathlib
import statistics
import sys

import numpy

BANK = pathlib.Path(__file__).with_name("bank.csv")
ARMS = ["fixed", "triangular2", "linear"]
LENGTHS = [0.25, 0.5, 1.0]


def write(result, bank=BANK):
    """A bank from the record of a grid."""
    record = json.load(open(result))
    with open(bank, "w", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["arm", "half_octave", "length", "seed", "validation", "test"])
        for arm, outcome in zip(record["plan"]["arms"], record["arms"]):
            label, rate = arm["label"].split("@")
            for length, budget in zip(record["plan"]["budgets"], outcome["budgets"]):
                for run in budget["runs"]:
                    values = run["values"] or {"validation": "", "test": ""}
                    values = [round(v, 4) if v else v for v in (values["validation"], values["test"])]
                    rows.writerow([label, rate, length, run["seed"], *values])


def read(path=BANK):
    """(arm, half octaves, length) -> {seed: (validation, test), or None if it diverged}"""
    bank = {}
    for row in csv.DictReader(open(path)):
        key = row["arm"], int(row["half_octave"]), float(row["length"])
        values = row["validation"] and (float(row["validation"]), float(row["test"]))
        bank.setdefault(key, {})[int(row["seed"])] = values or None
    return bank


class Search:
    """One arm's runs; counts what is trained."""

    def __init__(self, bank, arm):
        self.bank, self.arm = bank, arm
        rates = [rate for a, rate, _ in bank if a == arm]
        self.lowest, self.highest = min(rates), max(rates)
        self.trained = set()

    def value(self, rate, length, seeds):
        """The mean validation accuracy. Rates beyond the bank's count as its last."""
        rate = min(max(rate, self.lowest), self.highest)
        self.trained |= {(rate, length, seed) for seed in seeds}
        runs = [self.bank[self.arm, rate, length][seed] for seed in seeds]
        return float("-inf") if None in runs else statistics.mean(v for v, _ in runs)

    def best(self, rates, length, seeds):
        return max(sorted(rates), key=lambda rate: self.value(rate, length, seeds))

    def cost(self):
        return sum(length for _, length, _ in self.trained)


def rounds(searches, length, seeds, most):
    """Each arm's grid: the four common rates, and one more a round while any arm's best is at an edge."""
    grids = {arm: [-6, -4, -2, 0] for arm in searches}
    for _ in range(most):
        best = {arm: search.best(grids[arm], length, seeds) for arm, search in searches.items()}
        if not any(best[arm] in (min(grid), max(grid)) for arm, grid in grids.items()):
            break
        for arm, grid in grids.items():
            if best[arm] == max(grid):
                grid.append(best[arm] + 2)
            elif best[arm] == min(grid):
                grid.append(best[arm] - 2)
            else:
                sides = [best[arm] - 1, best[arm] + 1]
                grid.append(searches[arm].best(sides, length, seeds))
    return grids


def coarse(length, most, n):
    """The best of the four rates and their rounds at one length, on n seeds."""

    def choose(searches, seeds):
        grids = rounds(searches, length, seeds[:n], most)
        return {arm: s.best(grids[arm], length, seeds[:n]) for arm, s in searches.items()}

    return choose


def finer(first, lengths, n):
    """That, and then its neighbours a factor sqrt(2) away, at further lengths."""

    def choose(searches, seeds):
        best = coarse(first, 4, n)(searches, seeds)
        for length in lengths:
            for arm, search in searches.items():
                around = [best[arm] - 1, best[arm], best[arm] + 1]
                best[arm] = search.best(around, length, seeds[:n])
        return best

    return choose


def again(first, kept, most=4, length=1.0):
    """One seed on all rates; the best few on a second seed, at `length`."""

    def choose(searches, seeds):
        grids = rounds(searches, first, seeds[:1], most)
        chosen = {}
        for arm, search in searches.items():
            order = sorted(sorted(grids[arm]), key=lambda r: -search.value(r, first, seeds[:1]))
            chosen[arm] = search.best(order[:kept], length, seeds[:2])
        return chosen

    return choose


def halving(n):
    """Successive halving: four rates at 1/4, two at 1/2, the better of them wins."""

    def choose(searches, seeds):
        grids = rounds(searches, 0.25, seeds[:n], 4)
        chosen = {}
        for arm, search in searches.items():
            order = sorted(sorted(grids[arm]), key=lambda r: -search.value(r, 0.25, seeds[:n]))
            chosen[arm] = search.best(order[:2], 0.5, seeds[:n])
        return chosen

    return choose


def vertex(most, n, length=1.0):
    """The vertex of a parabola through what the common rates and their rounds gave."""

    def choose(searches, seeds):
        grids = rounds(searches, length, seeds[:n], most)
        chosen = {}
        for arm, search in searches.items():
            rates = sorted(set(grids[arm]))
            best = search.best(rates, length, seeds[:n])
            values = [search.value(rate, length, seeds[:n]) for rate in rates]
            chosen[arm] = best
            if len(rates) > 2 and min(values) > float("-inf"):
                a, b, _ = numpy.polyfit(rates, values, 2)
                if a < 0:
                    chosen[arm] = round(min(max(-b / (2 * a), min(rates)), max(rates)))
        return chosen

    return choose


SCHEMES = {
    "1 seed: 4 rates at 1, 4 rounds": coarse(1.0, 4, 1),
    "1 seed: 4 rates at 1, 1 round": coarse(1.0, 1, 1),
    "1 seed: 4 rates at 1, 4 rounds; best 2 on a 2nd": again(1.0, 2),
    "1 seed: 4 rates at 1, 4 rounds; parabola": vertex(4, 1),
    "2 seeds: 4 rates at 1, 4 rounds": coarse(1.0, 4, 2),
    "2 seeds: 4 rates, 4 rounds, sqrt(2) at 1": finer(1.0, [1.0], 2),
    "2 seeds: 4 rates at 1/4, sqrt(2) at 1/2": finer(0.25, [0.5], 2),
    "2 seeds: 4 rates at 1/2, sqrt(2) at 1/2": finer(0.5, [0.5], 2),
    "2 seeds: 4 rates at 1/4, 2 at 1/2": halving(2),
    "2 seeds: 4 rates at 1/4, sqrt(2) at 1": finer(0.25, [1.0], 2),
    "1 seed: 4 rates at 1/4; best 2 on two at 1": again(0.25, 2),
    "1 seed: 4 rates at 1/4; best 3 on two at 1": again(0.25, 3),
}


def choices(bank, choose, seeds):
    """Every pair of seeds: each arm's chosen rate, its cost, and the seeds that were not seen."""
    for pair in itertools.permutations(seeds, 2):
        searches = {arm: Search(bank, arm) for arm in ARMS}
        chosen = choose(searches, list(pair))
        chosen = {a: min(max(rate, searches[a].lowest), searches[a].highest) for a, rate in chosen.items()}
        yield chosen, searches, [seed for seed in seeds if seed not in pair]


def test(bank, arm, rate, seeds):
    return statistics.mean((bank[arm, rate, 1.0][seed] or (0, 0))[1] for seed in seeds)


def points_lost(bank, choose, seeds):
    """The cost in runs of the whole budget, and each arm's points lost to the best rate of the bank."""
    lost = {arm: [] for arm in ARMS}
    costs = []
    for chosen, searches, unseen in choices(bank, choose, seeds):
        costs.append(statistics.mean(search.cost() for search in searches.values()))
        for arm, search in searches.items():
            rates = range(search.lowest, search.highest + 1)
            best = max(test(bank, arm, rate, unseen) for rate in rates)
            lost[arm].append(best - test(bank, arm, chosen[arm], unseen))
    return statistics.mean(costs), lost


def gain(bank, choose, seeds):
    """Each arm's mean test accuracy beside the first scheme's."""
    means = []
    for scheme in (next(iter(SCHEMES.values())), choose):
        tests = [
            [test(bank, arm, chosen[arm], unseen) for arm in ARMS]
            for chosen, _, unseen in choices(bank, scheme, seeds)
        ]
        means.append([statistics.mean(column) for column in zip(*tests)])
    return [b - a for a, b in zip(*means)]


def gain_with_interval(bank, choose, seeds):
    """That, with the 95 % interval of a jackknife over seeds (t, n - 1 degrees of freedom)."""
    n = len(seeds)
    left_out = [gain(bank, choose, [s for s in seeds if s != seed]) for seed in seeds]
    halves = [2.365 * ((n - 1) ** 2 / n * statistics.variance(arm)) ** 0.5 for arm in zip(*left_out)]
    assert n == 8, "2.365 is t at 7 degrees of freedom"
    return list(zip(gain(bank, choose, seeds), halves))


def main():
    if "--bank" in sys.argv:
        write(sys.argv[-1])
    bank = read()
    seeds = sorted(next(iter(bank.values())))
    for arm in ARMS:
        for length in LENGTHS:
            rates = sorted(rate for a, rate, at in bank if a == arm and at == length)
            runs = [bank[arm, rate, length].values() for rate in rates]
            means = ["  -  " if None in r else f"{statistics.mean(v for v, _ in r):5.2f}" for r in runs]
            print(f"{arm:12} {length:5} {' '.join(means)}")
    print(f"\n{'scheme':48} cost; {'; '.join(f'{arm}: lost (worst), gain' for arm in ARMS)}")
    for name, choose in SCHEMES.items():
        cost, lost = points_lost(bank, choose, seeds)
        gains = gain_with_interval(bank, choose, seeds)
        words = [
            f"{statistics.mean(lost[arm]):.2f} ({max(lost[arm]):.2f}) {mean:+.2f} ± {half:.2f}"
            for arm, (mean, half) in zip(ARMS, gains)
        ]
        print(f"{name:48} {cost:4.1f}; {'; '.join(words)}")


if __name__ == "__main__":
    main()
