"""What tuning on few seeds costs in the end: schemes replayed from a bank of whole trainings.

    cyclr compare --study grid.toml --out BANK
    python3 schemes.py BANK/result.json

`grid.toml` trains the demo's net at ten peak rates a factor sqrt(2) apart, at a quarter, half and all of its budget, on
seeds of its own. From these runs each scheme is replayed on every pair of seeds (every seed, if it uses one); its choice
is scored by the mean test accuracy of the whole budget over the seeds that it did not see.
"""

import itertools
import json
import statistics
import sys

ARMS = ["fixed", "triangular2", "linear"]
LENGTHS = [0.25, 0.5, 1.0]


def read(path):
    """(arm, half octaves, length) -> {seed: (validation, test)}"""
    record = json.load(open(path))
    bank = {}
    for arm, outcome in zip(record["plan"]["arms"], record["arms"]):
        label, rate = arm["label"].split("@")
        for length, budget in zip(record["plan"]["budgets"], outcome["budgets"]):
            values = {run["seed"]: run["values"] for run in budget["runs"]}
            values = {s: (v["validation"], v["test"]) if v else None for s, v in values.items()}
            bank[label, int(rate), length] = values
    return bank


class Search:
    """One arm's search on some seeds; counts what it trains."""

    def __init__(self, bank, arm, seeds):
        self.bank, self.arm, self.seeds = bank, arm, seeds
        self.rates = sorted({rate for a, rate, _ in bank if a == arm})
        self.tried = {}

    def value(self, rate, length):
        rate = min(max(rate, self.rates[0]), self.rates[-1])
        runs = self.bank[self.arm, rate, length]
        self.tried[rate, length] = length * len(self.seeds)
        if any(runs[seed] is None for seed in self.seeds):
            return float("-inf")
        return statistics.mean(runs[seed][0] for seed in self.seeds)

    def best(self, rates, length):
        return max(sorted(rates), key=lambda rate: self.value(rate, length))

    def cost(self):
        return sum(self.tried.values())


def tune(bank, seeds, rungs, rounds, keep=None):
    """Each arm's rate and cost. `rungs[0]` tries the four common rates and rounds of one more, the others the best so far
    and its neighbours; `keep` rates, without neighbours, instead."""
    arms = {arm: Search(bank, arm, seeds) for arm in ARMS}
    grids = {arm: [-6, -4, -2, 0] for arm in ARMS}
    first = rungs[0]
    at_edge = lambda arm: arms[arm].best(grids[arm], first) in (min(grids[arm]), max(grids[arm]))
    for _ in range(rounds):
        if not any(at_edge(arm) for arm in ARMS):
            break
        for arm, search in arms.items():
            grid = grids[arm]
            best = search.best(grid, first)
            if best == max(grid):
                grid.append(best + 2)
            elif best == min(grid):
                grid.append(best - 2)
            else:
                sides = [r for r in (best - 2, best + 2) if r in grid] or [best - 1, best + 1]
                side = search.best(sides, first)
                if abs(side - best) == 2:
                    grid.append((best + side) // 2)
    chosen = {}
    for arm, search in arms.items():
        rates = grids[arm]
        best = search.best(rates, first)
        for length in rungs[1:]:
            if keep:
                rates = sorted(rates, key=lambda rate: -search.value(rate, LENGTHS[LENGTHS.index(length) - 1]))[:keep]
            else:
                rates = [best - 1, best, best + 1]
            best = search.best(rates, length)
        chosen[arm] = min(max(best, search.rates[0]), search.rates[-1])
    return chosen, sum(search.cost() for search in arms.values())


SCHEMES = {
    "one seed, whole, 4 rates, 1 round (before)": (1, dict(rungs=[1.0], rounds=1)),
    "two seeds, whole, 4 rates, 4 rounds": (2, dict(rungs=[1.0], rounds=4)),
    "two seeds, whole, then sqrt(2)": (2, dict(rungs=[1.0, 1.0], rounds=4)),
    "two seeds, 1/4, then sqrt(2) at 1/2": (2, dict(rungs=[0.25, 0.5], rounds=4)),
    "two seeds, 1/2, then sqrt(2) at 1/2": (2, dict(rungs=[0.5, 0.5], rounds=4)),
    "two seeds, 1/4, then sqrt(2) at 1": (2, dict(rungs=[0.25, 1.0], rounds=4)),
    "two seeds, 1/2, then sqrt(2) at 1": (2, dict(rungs=[0.5, 1.0], rounds=4)),
    "two seeds, 1/4, sqrt(2) at 1/2, at 1": (2, dict(rungs=[0.25, 0.5, 1.0], rounds=4)),
    "two seeds, 1/4, best 2 at 1/2": (2, dict(rungs=[0.25, 0.5], rounds=4, keep=2)),
    "one seed, 1/4, then sqrt(2) at 1/2": (1, dict(rungs=[0.25, 0.5], rounds=4)),
}


def main():
    bank = read(sys.argv[1])
    seeds = sorted(next(iter(bank.values())))
    for length in LENGTHS:
        for arm in ARMS:
            rates = sorted(rate for a, rate, at in bank if a == arm and at == length)
            means = []
            for rate in rates:
                runs = bank[arm, rate, length].values()
                means.append("  -  " if None in runs else f"{statistics.mean(v[0] for v in runs):5.2f}")
            print(f"{arm:12} {length:5} {' '.join(means)}")
    print(f"\n{'scheme':45} {'cost':>5}  points lost (worst), by arm")
    for name, (n, how) in SCHEMES.items():
        lost = {arm: [] for arm in ARMS}
        costs = []
        for chosen_seeds in itertools.combinations(seeds, n):
            chosen, cost = tune(bank, chosen_seeds, **how)
            costs.append(cost)
            rest = [seed for seed in seeds if seed not in chosen_seeds]
            for arm, rate in chosen.items():
                test = lambda r: statistics.mean(
                    (bank[arm, r, 1.0][seed] or (0, 0))[1] for seed in rest
                )
                rates = {r for a, r, _ in bank if a == arm}
                lost[arm].append(max(map(test, rates)) - test(rate))
        words = [f"{arm} {statistics.mean(l):.2f} ({max(l):.2f})" for arm, l in lost.items()]
        print(f"{name:45} {statistics.mean(costs):5.1f}  {', '.join(words)}")


if __name__ == "__main__":
    main()
