"""Optuna's TPE on the bank's problems: as many updates as the range test has, in trials of the length of its probes.

    venv/bin/python tpe.py CIFAR PROBLEM...

Only at 10 % of the budget. Each trial is a short training (linear to zero) at a rate from 1e-7 to 10, in half octaves; the best trial's rate is the answer.
It is written to bank/NAME-tpe.csv. Needs `cargo build --release` first, and optuna (requirements.txt). The problems in child need
their answers first (child/judge.py); they are trained here, without a process of their own.
"""

import csv
import importlib
import math
import subprocess
import sys
from pathlib import Path

import optuna

HERE = Path(__file__).parent
STEPS = (-46, 6)
COST = "0.1"
# As crates/cyclr/src/range/allowance.rs has it.
SHORTEST_PROBE, FEWEST_EXAMPLES = 40, 1500
sys.path.insert(0, str(HERE / "child"))


class Probes:
    """Probes made by the judge, or read from its bank."""

    def __init__(self, cifar, problem):
        command = [HERE / "target/release/finder", "probes", HERE / "bank", cifar, problem]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.tests = []
        while row := self.process.stdout.readline().strip():
            cost, seed, updates, length = row.split(",")
            if cost == COST:
                self.tests.append((int(seed), int(updates), int(length)))

    def loss(self, length, step, seed):
        self.process.stdin.write(f"{length},{step},{seed}\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())

    def end(self):
        self.process.stdin.close()
        self.process.wait()


class ChildProbes:
    """The same of a net in numpy."""

    def __init__(self, problem):
        self.net = importlib.import_module(problem).Net
        rows = csv.DictReader((HERE / f"bank/{problem}-answers.csv").open())
        length = max(SHORTEST_PROBE, math.ceil(FEWEST_EXAMPLES / self.net.BATCH))
        self.tests = [(int(r["seed"]), int(r["updates"]), length) for r in rows if int(r["cost"]) == round(100 * float(COST))]

    def loss(self, length, step, seed):
        net, lr, losses = self.net(), 2 ** (step / 2), []
        net.initialize(seed, 0, None)
        warmup = max(length // 20, 1)
        for update in range(length):
            share = (update + 1) / warmup if update < warmup else (length - update) / (length - warmup)
            losses.append(net.update(lr * share)[0]["value"])
            if losses[-1] is None or losses[-1] > 1001 * losses[0]:
                return math.inf
        tail = losses[-max((length + 2) // 5, 3) :]
        return sum(tail) / len(tail)

    def end(self):
        pass


def answer(probes, seed, updates, length):
    """The best trial's half octave; None where all diverge."""

    def objective(trial):
        loss = probes.loss(length, trial.suggest_int("step", *STEPS), seed)
        if loss == float("inf"):
            raise optuna.TrialPruned
        return loss

    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed))
    study.optimize(objective, n_trials=updates // length)
    return study.best_params["step"] if study.get_trials(states=[optuna.trial.TrialState.COMPLETE]) else None


def main(cifar, *problems):
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    for problem in problems:
        probes = ChildProbes(problem) if (HERE / f"child/{problem}.py").exists() else Probes(cifar, problem)
        rows = ["cost,seed,step"]
        for seed, updates, length in probes.tests:
            step = answer(probes, seed, updates, length)
            rows.append(f"{COST},{seed},{'' if step is None else step}")
        probes.end()
        (HERE / f"bank/{problem}-tpe.csv").write_text("\n".join(rows) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
