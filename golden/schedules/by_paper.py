"""Vectors as printed, with the digits they were printed to.

A row's rate is the printed number; `tolerance` holds, row by row, half a unit of its last printed digit. A printed
number that contradicts its own formula is no oracle: it stands in the case's `misprints`, not in its rows.
"""

from decimal import Decimal

from common import Table

CLR = {
    "triangular": "triangular(base=0.001, max=0.006, step=2000)",
    "triangular2": "triangular2(base=0.001, max=0.006, step=2000)",
    "exp_range amplitude": "exp_range(base=0.001, max=0.006, step=2000, gamma=0.99994, decays=amplitude)",
    "exp_range bounds": "exp_range(base=0.001, max=0.006, step=2000, gamma=0.99994, decays=bounds)",
}
PRINTED = {
    1: ".0010025 | .0010025 | .00100249985 | .00100243985",
    2000: ".006 | .006 | .00543458622 | .00532150346",
    4000: ".001 | .001 | .001 | .000786622197",
    4001: ".0010025 | .00100125 | .00100196644 | .000788541437",
    6000: ".006 | .0035 | .00448834395 | .00418601275",
    10_000: ".006 | .00225 | .00374400789 | .00329281054",
}
# The printed row contradicts itself: bounds / max = .00329281054 / .006 is gamma^10000 = .548801757, which makes the
# amplitude .001 + .005 · .548801757 = .00374400879, as torch says too. Two digits of the printed number are swapped.
MISPRINTS = {("exp_range amplitude", 10_000)}


def make():
    table = Table("paper", "printed vectors of arXiv 1506.01186's policies and of torch's", "as printed", "by_paper.py",
                  digits="tolerance[k] is half a unit of the last printed digit of rows[k]")
    for k, (case, shown) in enumerate(CLR.items()):
        add(table, case, shown, 20_001, {i: line.split(" | ")[k] for i, line in PRINTED.items()})
    add(table, "CyclicLR", "triangular(base=1, max=5, up=2, down=6)", 8,
        dict(enumerate("1,3,5,4.3333,3.6667,3,2.3333,1.6667,1".split(","))))
    printed = "1,13,25,21.4285857,17.8571714,14.2857571,10.7143429,7.14292857,3.57151429,1e-4"
    add(table, "OneCycleLR", "one_cycle(max=25, anneal=linear)", 10, dict(enumerate(printed.split(","))))
    return table


def add(table, case, shown, updates, printed):
    wrong = [[i, number] for i, number in printed.items() if (case, i) in MISPRINTS]
    printed = {i: number for i, number in printed.items() if (case, i) not in MISPRINTS}
    rows = [[i, float(number), None] for i, number in printed.items()]
    halves = [float(Decimal(1).scaleb(Decimal(number).as_tuple().exponent) / 2) for number in printed.values()]
    more = {"misprints": wrong} if wrong else {}
    table.add(case, shown, updates, rows, printed=list(printed.values()), tolerance=halves, **more)
