"""How the demo's verdict depends on the tuning seed: every scheme's choices, judged by the same final runs.

    cyclr compare --study finals.toml --out FINALS
    python3 repeats.py --bank FINALS/result.json    # writes finals.csv
    python3 repeats.py                              # needs numpy and scipy
"""

import collections
import itertools
import pathlib
import statistics
import sys

import schemes
from scipy import stats

FINALS = pathlib.Path(__file__).with_name("finals.csv")
MARGIN = 0.5


def holm(p_values):
    """Adjusted p-values."""
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    adjusted, highest = [0.0] * len(p_values), 0.0
    for rank, i in enumerate(order):
        highest = max(highest, (len(p_values) - rank) * p_values[i])
        adjusted[i] = min(1.0, highest)
    return adjusted


def judged(finals, rates):
    """The difference from `fixed`, and the verdict, of the two other arms."""
    tests = {arm: [test for _, test in finals[arm, rates[arm], 1.0].values()] for arm in rates}
    differences, p_values, tosts = [], [], []
    for arm in schemes.ARMS[1:]:
        pairs = [a - b for a, b in zip(tests[arm], tests["fixed"])]
        mean, error = statistics.mean(pairs), statistics.stdev(pairs) / len(pairs) ** 0.5
        freedom = len(pairs) - 1
        differences.append(mean)
        p_values.append(2 * stats.t.sf(abs(mean / error), freedom))
        tosts.append(stats.t.sf((MARGIN - abs(mean)) / error, freedom))
    verdicts = []
    for mean, p, tost in zip(differences, holm(p_values), holm(tosts)):
        decided = "better" if mean > 0 else "worse"
        verdicts.append(decided if p < 0.05 else "equivalent" if tost < 0.05 else "undecided")
    return differences, tuple(verdicts)


def main():
    if "--bank" in sys.argv:
        schemes.write(sys.argv[-1], FINALS)
    bank, finals = schemes.read(), schemes.read(FINALS)
    seeds = sorted(next(iter(bank.values())))
    rates = [rate for _, rate, _ in finals]
    for name, choose in schemes.SCHEMES.items():
        pairs = itertools.permutations(seeds, 2)
        chosen = {}
        for pair in pairs:
            used = pair[:1] if name.startswith("1 seed") and " two " not in name and "2nd" not in name else frozenset(pair)
            searches = {arm: schemes.Search(bank, arm) for arm in schemes.ARMS}
            choice = choose(searches, list(pair))
            chosen[used] = {arm: max(min(rates), min(max(rates), rate)) for arm, rate in choice.items()}
        found = [judged(finals, choice) for choice in chosen.values()]
        verdicts = collections.Counter(verdict for _, verdict in found)
        print(f"{name} (n = {len(found)})")
        for arm, differences in zip(schemes.ARMS[1:], zip(*(d for d, _ in found))):
            print(f"  {arm}: {statistics.mean(differences):+.2f}, sd {statistics.stdev(differences):.2f}")
        print("  " + ", ".join(f"{' and '.join(v)}: {n}" for v, n in verdicts.most_common()))


if __name__ == "__main__":
    main()
