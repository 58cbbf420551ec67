"""Scores `cyclr find` on problems in Python, which cyclr trains through the child protocol.

    python judge.py CYCLR BANK (truth | shorter | answers | sweeps) PROBLEM...

CYCLR is the binary. What is made goes to BANK/NAME-truth.csv, -shorter.csv, -answers.csv and -sweeps.csv; what is there is not
made again. Sweeps are for the rules that stand beside the test.
"""

import csv
import importlib
import json
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
# Updates, peaks.
PROBLEMS = {"teacher": (1500, range(-12, -2)), "counting": (2000, range(-13, 4))}
COSTS, TESTS = (5, 10, 20), 12
SHARES = (10, 25, 50)
POLICIES = {
    "linear": "warmup(5%) then linear(lr={peak})",
    "triangular2": "triangular2(base={base}, max={peak}, step={step})",
    "triangular": "triangular(base={base}, max={peak}, step={step})",
    "fixed": "fixed(lr={peak})",
}
SEEDS = 3
NEAR = 0.05


def child(problem):
    return ["--", sys.executable, str(HERE / f"{problem}.py")]


def rows(path):
    return list(csv.DictReader(path.open())) if path.exists() else []


def append(path, header, row):
    new = not path.exists()
    with path.open("a") as file:
        file.write(f"{header}\n" * new + ",".join(map(str, row)) + "\n")


def train(cyclr, problem, updates, policy, peak, seed):
    """The accuracies on validation and test; 0 where it diverged."""
    spec = POLICIES[policy].format(peak=peak, base=peak / 10, step=updates // 8)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        command = [cyclr, "train", "--updates", str(updates), "--policy", spec, "--seed", str(seed), "--out", str(out)]
        done = subprocess.run([*command, *child(problem)], capture_output=True, text=True)
        result = out / "result.json"
        if not result.exists():
            raise SystemExit(f"{' '.join(command)}\n{done.stderr}")
        end = json.loads(result.read_text())
        if end["test"] is None:
            return 0.0, 0.0
        accuracy = lambda metrics: next(m["value"] for m in metrics if m["name"] == "accuracy")
        return accuracy(end["evaluations"][-1]["metrics"]), accuracy(end["test"])


def truth(cyclr, bank, problem):
    updates = PROBLEMS[problem][0]
    for policy in POLICIES:
        fill(bank / f"{problem}-truth.csv", problem, policy, lambda peak, seed, policy=policy: train(cyclr, problem, updates, policy, peak, seed))


def shorter(cyclr, bank, problem):
    """Grids of linear-to-zero trainings of a share of the budget."""
    for share in SHARES:
        updates = PROBLEMS[problem][0] * share // 100
        fill(bank / f"{problem}-shorter.csv", problem, str(share), lambda peak, seed, updates=updates: train(cyclr, problem, updates, "linear", peak, seed))


def fill(path, problem, label, train):
    """Every peak with one seed, and three where that loses less than five points."""
    for seed in range(SEEDS):
        known = [r for r in rows(path) if r["policy"] == label]
        best = max((float(r["validation"]) for r in known), default=0)
        for peak in PROBLEMS[problem][1]:
            of = [r for r in known if int(r["log2_peak"]) == peak]
            if len(of) > seed or any(float(r["validation"]) < best - NEAR for r in of):
                continue
            append(path, "policy,log2_peak,seed,validation,test", (label, peak, seed, *train(2.0**peak, seed)))


def answers(cyclr, bank, problem):
    """The answer of each cost and seed; costs that buy the same updates, as small ones may, get the same answer."""
    path = bank / f"{problem}-answers.csv"
    paid = {cost: find(cyclr, problem, cost, 0, "--plan")["updates"] for cost in COSTS}
    for cost in COSTS:
        for seed in (1000 + 10 * k for k in range(TESTS)):
            known = [r for r in rows(path) if int(r["seed"]) == seed]
            if any(int(r["cost"]) == cost for r in known):
                continue
            same = [r for r in known if paid[int(r["cost"])] == paid[cost]]
            row = list(same[0].values())[2:] if same else answered(find(cyclr, problem, cost, seed))
            append(path, "cost,seed,max_lr,low,high,updates", (cost, seed, *row))


def find(cyclr, problem, cost, seed, *more):
    budget = PROBLEMS[problem][0]
    command = [cyclr, "find", "--budget", str(budget), "--fraction", str(cost), "--seed", str(seed), "--json", *more]
    done = subprocess.run([*command, *child(problem)], capture_output=True, text=True)
    if not done.stdout:
        raise SystemExit(f"{' '.join(command)}\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def answered(answer):
    """The bounds, empty where there is no reliable answer, and the updates made."""
    return answer.get("max_lr", ""), *answer.get("max_interval", ("", "")), answer["updates"]


def sweeps(_cyclr, bank, problem):
    """A sweep for each answer, of as many updates, in this process; it ends as one of cyclr does."""
    path = bank / f"{problem}-sweeps.csv"
    known = {(r["updates"], r["seed"]) for r in rows(path)}
    for answer in rows(bank / f"{problem}-answers.csv"):
        updates, seed = answer["updates"], answer["seed"]
        if (updates, seed) in known:
            continue
        known.add((updates, seed))
        net, losses = importlib.import_module(problem).Net(), []
        net.initialize(int(seed), 0, None)
        for update in range(int(updates)):
            lr = 1e-7 * 1e8 ** (update / (int(updates) - 1))
            loss, accuracy = net.update(lr)
            if loss["value"] is None:
                break
            losses.append(loss["value"])
            append(path, "updates,seed,lr,loss,correct,count", (updates, seed, lr, loss["value"], accuracy["correct"], accuracy["count"]))
            if sum(losses[-5:]) > 4 * sum(losses[:5]):
                break


if __name__ == "__main__":
    cyclr, bank, what, *problems = sys.argv[1:]
    for problem in problems:
        {"truth": truth, "shorter": shorter, "answers": answers, "sweeps": sweeps}[what](cyclr, Path(bank), problem)
