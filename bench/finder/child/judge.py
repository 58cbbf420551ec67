"""Scores `cyclr find` on problems in Python, which cyclr trains through the child protocol.

    python judge.py CYCLR BANK (truth | answers | show) PROBLEM...

CYCLR is the binary. Truth and answers go to BANK/NAME-truth.csv and BANK/NAME-answers.csv; what is there is not made again.
"""

import csv
import json
import math
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
# Updates, peaks, policies, tests at each cost. Less than for problems of the engine: each run is a process.
PROBLEMS = {
    "teacher": (1500, range(-12, -2), ("linear", "triangular2", "triangular"), {10: 6}),
    "counting": (400, range(-10, -3), ("linear", "triangular2"), {10: 6}),
}
POLICIES = {
    "linear": "warmup(5%) then linear(lr={peak})",
    "triangular2": "triangular2(base={base}, max={peak}, step={step})",
    "triangular": "triangular(base={base}, max={peak}, step={step})",
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


def train(cyclr, problem, policy, peak, seed):
    """The accuracies on validation and test; 0 where it diverged."""
    updates = PROBLEMS[problem][0]
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
    """Every peak with one seed, and three where that loses less than five points."""
    path = bank / f"{problem}-truth.csv"
    for policy in PROBLEMS[problem][2]:
        for seed in range(SEEDS):
            known = [r for r in rows(path) if r["policy"] == policy]
            best = max((float(r["validation"]) for r in known), default=0)
            for peak in PROBLEMS[problem][1]:
                of = [r for r in known if int(r["log2_peak"]) == peak]
                if len(of) > seed or any(float(r["validation"]) < best - NEAR for r in of):
                    continue
                append(path, "policy,log2_peak,seed,validation,test", (policy, peak, seed, *train(cyclr, problem, policy, 2.0**peak, seed)))


def answers(cyclr, bank, problem):
    path = bank / f"{problem}-answers.csv"
    known = {(int(r["cost"]), int(r["seed"])) for r in rows(path)}
    for cost, tests in PROBLEMS[problem][3].items():
        for seed in (1000 + 10 * k for k in range(tests)):
            if (cost, seed) in known:
                continue
            command = [cyclr, "find", "--budget", str(PROBLEMS[problem][0]), "--fraction", str(cost), "--seed", str(seed), "--json"]
            done = subprocess.run([*command, *child(problem)], capture_output=True, text=True)
            answer = json.loads(done.stdout.splitlines()[-1])
            low, high = answer.get("max_interval", ("", ""))
            append(path, "cost,seed,max_lr,low,high,updates", (cost, seed, answer.get("max_lr", ""), low, high, answer["updates"]))


def show(bank, problem):
    all_rows = [r for r in rows(bank / f"{problem}-answers.csv")]
    for cost in PROBLEMS[problem][3]:
        found = [r for r in all_rows if int(r["cost"]) == cost]
        rates = [float(r["max_lr"]) for r in found if r["max_lr"]]
        logs = [math.log2(rate) for rate in rates]
        mean = sum(logs) / len(logs)
        sd = math.log(2) * math.sqrt(sum((x - mean) ** 2 for x in logs) / (len(logs) - 1))
        made = sum(int(r["updates"]) for r in found) / len(found) / PROBLEMS[problem][0]
        regrets = []
        for policy in PROBLEMS[problem][2]:
            cells = truth_cells(bank, problem, policy)
            lost = [best(cells) - accuracy(cells, x) for x in logs]
            regrets.append(f"{policy} {sum(lost) / len(lost):.2f}/{max(lost):.2f}")
        print(f"{problem} {cost} % (made {100 * made:.1f}): {len(rates)} of {len(found)}, log2 {mean:.2f}, sd ln {sd:.2f}; {', '.join(regrets)}")
    inside, pairs, ratios = held(all_rows)
    print(f"  the interval holds {inside} of {pairs} answers of other seeds; median ratio of its ends {ratios[len(ratios) // 2]:.2f}")


def held(all_rows):
    answered = [r for r in all_rows if r["max_lr"]]
    pairs = [(a, b) for a in answered for b in answered if a["seed"] != b["seed"]]
    inside = sum(float(a["low"]) <= float(b["max_lr"]) <= float(a["high"]) for a, b in pairs)
    return inside, len(pairs), sorted(float(r["high"]) / float(r["low"]) for r in answered)


def truth_cells(bank, problem, policy):
    cells = {}
    for r in rows(bank / f"{problem}-truth.csv"):
        if r["policy"] == policy:
            cells.setdefault(int(r["log2_peak"]), []).append(50 * (float(r["validation"]) + float(r["test"])))
    return cells


def best(cells):
    """As truth.rs has it: of each seed's cells the one that the other seeds call the best."""
    whole = [c for c in cells.values() if len(c) == SEEDS and max(c) - min(c) < 5]
    return sum(max(whole, key=lambda c: sum(c) - c[k])[k] for k in range(SEEDS)) / SEEDS


def accuracy(cells, x):
    mean = {peak: sum(values) / len(values) for peak, values in cells.items()}
    low, high = math.floor(x), math.floor(x) + 1
    if low < min(mean):
        return mean[min(mean)]
    if high > max(mean):
        return mean[max(mean)]
    return mean[low] + (mean[high] - mean[low]) * (x - low)


if __name__ == "__main__":
    cyclr, bank, what, *problems = sys.argv[1:]
    for problem in problems:
        if what == "show":
            show(Path(bank), problem)
        else:
            {"truth": truth, "answers": answers}[what](cyclr, Path(bank), problem)
