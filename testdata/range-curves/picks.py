"""The rates that fastai's suggestion functions pick from the recorded sweeps, written from their published definitions
(fastai's documentation of `lr_find`, `minimum`, `steep`, `valley` and `slide`; torch-lr-finder's suggestion is `steep`).

    python3 picks.py > picks.csv

Every step is done the slow way: the longest valley by comparing all pairs. Made with numpy 2.x.
"""
import sys
from pathlib import Path

import numpy as np


def averaged(losses):
    """fastai's recorder: weights 0.98 and 0.02, divided by what the weights add up to so far."""
    average, out = 0.0, []
    for i, loss in enumerate(losses):
        average = 0.98 * average + 0.02 * loss
        out.append(average / (1 - 0.98 ** (i + 1)))
    return np.array(out)


def valley(rates, losses):
    length = np.ones(len(losses), int)
    for i in range(len(losses)):
        for j in range(i):
            if losses[i] < losses[j]:
                length[i] = max(length[i], length[j] + 1)
    end = int(np.argmax(length))  # the first of the longest
    start = end - length[end] if length[end] > 1 else 0
    third = (end - start) / 3
    return rates[start + int(third) + int(third / 2)]


def slide(rates, losses, span=15, threshold=0.005):
    slope = np.gradient(losses)
    right, left = len(losses) - 1, len(losses) - 1 - span
    pick = rates[left]
    while left >= 0 and abs(slope[right] - slope[left]) > threshold:
        pick = rates[left]
        right, left = right - 1, left - 1
    return pick


print("sweep,minimum_tenth,steepest,valley,slide")
here = Path(__file__).parent
for path in sorted(here.glob("*/exp-*.csv")):
    table = np.genfromtxt(path, delimiter=",", skip_header=1)
    table = table[np.isfinite(table[:, 2])]
    n = len(table)
    rates, losses = table[n // 10 : n - 5, 1], averaged(table[:, 2])[n // 10 : n - 5]
    steep = rates[np.argmin(np.diff(losses) / np.diff(np.log(rates)))]
    picks = rates[np.argmin(losses)] / 10, steep, valley(rates, losses), slide(rates, losses)
    print(",".join([f"{path.parent.name}/{path.name}", *(repr(float(p)) for p in picks)]))
print(f"numpy {np.__version__}", file=sys.stderr)
