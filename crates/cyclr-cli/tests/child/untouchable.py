"""A program that knows nothing of cyclr: it trains a noisy quadratic for a given number of steps and prints JSON lines and words.

Options take something away or do something wrong.
"""

import argparse
import json
import random
import sys
import time

parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float)
parser.add_argument("--lr-file")
parser.add_argument("--seed", type=int)
parser.add_argument("--steps", type=int)
parser.add_argument("--folder")
parser.add_argument("--ignore", choices=["seed", "rate"])
parser.add_argument("--pause", type=float, default=0, help="seconds before it begins")
parser.add_argument("--wrong", choices=["exit", "silent", "hang", "nan"])
args = parser.parse_args()

time.sleep(args.pause)
rates = [args.lr] * (args.steps or 0)
if args.lr_file:
    rates = [float(line) for line in open(args.lr_file)]
assert args.steps in (None, len(rates)), (args.steps, len(rates))
if args.ignore == "rate":
    rates = [0.1] * len(rates)
curvatures = [1 - 0.9 * j / 7 for j in range(8)]
noise = random.Random(42 if args.ignore == "seed" else args.seed)
weights = [3 * noise.gauss(0, 1) for _ in curvatures]


def loss():
    return sum(h * w * w for h, w in zip(curvatures, weights)) / 16


print(json.dumps({"rates": [min(rates), max(rates)], "steps": len(rates), "folder": args.folder}))
for step, lr in enumerate(rates):
    for j, h in enumerate(curvatures):
        weights[j] -= lr * (h * weights[j] + noise.gauss(0, 0.3))
    if step % 50 == 0:
        print(f"\rstep {step}: val_loss={loss()}", end="")
if args.wrong == "exit":
    sys.exit("no space left")
if args.wrong == "hang":
    time.sleep(1000)
if args.wrong != "silent":
    value = float("nan") if args.wrong == "nan" else loss()
    print(f"\ndone: val_loss={value}")
    print(json.dumps({"test": {"loss": value + 0.001}}))
