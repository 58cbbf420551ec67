"""Chooses the two constants of the interval of max_lr, and scores them on problems that had no part in the choice.

    cargo run --release -- answers bank CIFAR > answers.csv
    python3 interval.py answers.csv bank

Half the width in ln rate is sqrt(least^2 + (of_the_spread * spread)^2). The choice is what holds the answer of another
seed, at any cost, in most pairs of tests, with a median ratio of the interval's ends of 3 at most. For the score of a
problem it is made on all others.
"""

import csv
import math
import sys
from collections import defaultdict
from dataclasses import dataclass
from statistics import median

# Those that made the intervals in the files.
LEAST, OF_THE_SPREAD = 0.3, 0.45
GRID = [(a / 20, b / 20) for a in range(4, 14) for b in range(12)]
MOST_RATIO = 3
CHOOSING = {"mlp-sgd9", "mlp-adam", "mlp-sgd0", "lenet-sgd9", "quick-sgd9", "res4-sgd9", "res4-adamw"}
# Their answers are in the bank.
IN_PYTHON = ("teacher", "counting")


@dataclass
class Answer:
    seed: str
    ln: float
    spread: float
    # What an open end adds below and above.
    open: tuple[float, float]

    def ends(self, least: float, of_the_spread: float) -> tuple[float, float]:
        half = math.hypot(least, of_the_spread * self.spread)
        return self.ln - half - self.open[0], self.ln + half + self.open[1]


def answer(seed: str, row: dict[str, str]) -> Answer:
    low, ln, high = (math.log(float(row[name])) for name in ("low", "max_lr", "high"))
    half = min(ln - low, high - ln)
    spread = math.sqrt(max(0, half**2 - LEAST**2)) / OF_THE_SPREAD
    return Answer(seed, ln, spread, (ln - low - half, high - ln - half))


def answers(path: str, bank: str) -> dict[str, list[Answer]]:
    found = defaultdict(list)
    for row in csv.DictReader(open(path)):
        if row["max_lr"]:
            found[row["problem"]].append(answer(row["test"], row))
    for name in IN_PYTHON:
        for row in csv.DictReader(open(f"{bank}/{name}-answers.csv")):
            found[name].append(answer(row["seed"], row))
    return found


def held(tests: list[Answer], least: float, of_the_spread: float) -> tuple[int, int, list[float]]:
    """Pairs of tests of two seeds where the interval of one holds the answer of the other, all pairs, and ln ratios."""
    inside, pairs, widths = 0, 0, []
    for one in tests:
        low, high = one.ends(least, of_the_spread)
        widths.append(high - low)
        others = [other.ln for other in tests if other.seed != one.seed]
        pairs += len(others)
        inside += sum(low <= ln <= high for ln in others)
    return inside, pairs, widths


def together(scores: list[tuple[int, int, list[float]]]) -> tuple[float, float]:
    """The share of pairs, and the median ratio of the ends."""
    share = sum(score[0] for score in scores) / sum(score[1] for score in scores)
    return share, math.exp(median(width for score in scores for width in score[2]))


def main() -> None:
    tests = answers(*sys.argv[1:3])
    scores = {(name, pair): held(tests[name], *pair) for name in tests for pair in GRID}

    def chosen(names: list[str]) -> tuple[float, float]:
        results = [(*together([scores[name, pair] for name in names]), pair) for pair in GRID]
        return max(result for result in results if result[1] <= MOST_RATIO)[2]

    print(f"chosen on all {len(tests)}: {chosen(list(tests))}")
    out = {name: scores[name, chosen([other for other in tests if other != name])] for name in tests}
    for name, score in out.items():
        print("{:<15} {:.1%} at a ratio of {:.2f}".format(name, *together([score])))
    for words, names in (
        ("all", list(tests)),
        ("scoring", [name for name in tests if name not in CHOOSING]),
    ):
        print("{}, each left out in turn: {:.1%} at a ratio of {:.2f}".format(words, *together([out[n] for n in names])))


main()
