"""A noisy quadratic bowl as a child: a net that trains in microseconds. The same idea as `cyclr_train::bowl`, other numbers.

Options take something away, print, or do something wrong when the update --at (of the run with the seed --seed) is asked for.
"""

import argparse
import os
import pickle
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[4] / "examples"))
import cyclr_child  # noqa: E402

parser = argparse.ArgumentParser()
parser.add_argument("--metric", choices=["accuracy", "loss", "perplexity", "perplexity-alone", "f1"], default="accuracy")
parser.add_argument("--less", choices=["momentum", "snapshots", "validation", "averages"], action="append", default=[])
parser.add_argument("--ignore", choices=["seed", "rate", "gradient"], action="append", default=[])
parser.add_argument("--objective", help="a declared objective: NAME:DIRECTION:UNIT")
parser.add_argument("--slow", type=float, default=0, help="seconds an update takes")
parser.add_argument("--chatty", action="store_true")
parser.add_argument("--note", help="what every process tells the user as it starts")
parser.add_argument("--pids", help="a folder that gets an empty file for each process")
parser.add_argument("--wrong", default="", help="what goes wrong")
parser.add_argument("--at", type=int, default=20)
parser.add_argument("--seed", type=int)
parser.add_argument("--unless", help="nothing goes wrong where this file exists")
args = parser.parse_args()

CURVATURES = [1 - 0.9 * j / 7 for j in range(8)]
BATCH, HELD_OUT = 50, 200


class Bowl:
    def initialize(self, seed, data_seed, batch):
        self.seed = seed
        self.random = random.Random(42 if "seed" in args.ignore else seed)
        self.weights = [3 * self.random.gauss(0, 1) for _ in CURVATURES]
        self.velocity = [0.0] * len(CURVATURES)
        self.made = 0
        self.taken, self.mean = 0, [0.0] * len(CURVATURES)
        self.batch = batch or BATCH
        if args.pids:
            helper = subprocess.Popen(["sleep", "1000"])
            for pid in (os.getpid(), helper.pid):
                (Path(args.pids) / str(pid)).touch()
        if args.note:
            print(f"cyclr: {args.note}", file=sys.stderr, flush=True)
        self.go_wrong("initialize", "initialize")
        return {
            "examples": 1000,
            "batch": self.batch,
            "validation": 0 if "validation" in args.less else HELD_OUT,
            "test": HELD_OUT,
            "momentum": "momentum" not in args.less,
            "weight_decay": True,
            "snapshots": "snapshots" not in args.less,
            "averages": "averages" not in args.less,
            **({"objective": dict(zip(("name", "direction", "unit"), args.objective.split(":")))} if args.objective else {}),
        }

    def loss(self):
        return sum(h * w * w for h, w in zip(CURVATURES, self.weights)) / 16

    def metrics(self, count, correct):
        loss = self.loss()
        perplexity = cyclr_child.metric("perplexity", 1 + loss, count)
        return {
            "accuracy": [cyclr_child.loss(loss, count), cyclr_child.accuracy(correct, count)],
            "loss": [cyclr_child.loss(loss, count)],
            "perplexity": [cyclr_child.loss(loss, count), perplexity],
            "perplexity-alone": [perplexity],
            "f1": [cyclr_child.loss(loss, count), cyclr_child.metric("f1", correct / count, count, "higher")],
        }[args.metric]

    def update(self, lr, momentum, weight_decay):
        if self.made == args.at:
            self.go_wrong(args.wrong, "update")
        if args.chatty:
            print(f"update {self.made} at the rate {lr}")
            print("to stderr", file=sys.stderr)
        time.sleep(args.slow)
        skill = 1 / (1 + self.loss())
        metrics = self.metrics(self.batch, sum(self.random.random() < skill for _ in range(self.batch)))
        lr = 0.02 if "rate" in args.ignore else 0.0 if "gradient" in args.ignore else lr
        momentum = 0.9 if momentum is None or "momentum" in args.less else momentum
        for j, h in enumerate(CURVATURES):
            gradient = h * self.weights[j] + self.random.gauss(0, 0.3) + (weight_decay or 0) * self.weights[j]
            self.velocity[j] = momentum * self.velocity[j] + gradient
            self.weights[j] -= lr * self.velocity[j]
        self.made += 1
        return metrics

    def evaluate(self, split):
        data = random.Random(split)
        skill = 1 / (1 + self.loss())
        right = [data.random() < skill for _ in range(HELD_OUT)]
        metrics = self.metrics(HELD_OUT, sum(right))
        return (metrics, right) if args.metric == "accuracy" else metrics

    def average(self):
        self.taken += 1
        self.mean = [mean + (weight - mean) / self.taken for mean, weight in zip(self.mean, self.weights)]

    def evaluate_average(self, split):
        weights, self.weights = self.weights, self.mean
        try:
            return self.evaluate(split)
        finally:
            self.weights = weights

    def state(self, path):
        if args.wrong == "fifo":
            os.mkfifo(path)
            return
        with open(path, "wb") as file:
            pickle.dump((self.random.getstate(), self.weights, self.velocity, self.made, self.taken, self.mean), file)

    def restore(self, path):
        with open(path, "rb") as file:
            state, self.weights, self.velocity, self.made, self.taken, self.mean = pickle.load(file)
        self.random.setstate(state)

    def go_wrong(self, what, where):
        """Writes below the helper's feet, so that cyclr is told what no helper would say."""
        mine = args.seed is None or args.seed == self.seed
        if not what or what != args.wrong or not mine or args.unless and os.path.exists(args.unless):
            return
        write = int(os.environ["CYCLR_FD"].split(",")[1])
        say = lambda text: os.write(write, text.encode())  # noqa: E731
        if what in ("raise", "initialize"):
            raise ValueError("the data are gone")
        elif what == "exit":
            print("\n".join(f"word {n} of the last" for n in range(30)))
            sys.exit(7)
        elif what == "kill":
            os.kill(os.getpid(), 9)
        elif what == "hang":
            time.sleep(1000)
        elif what == "rubbish":
            say("Epoch 1: 100%\n")
        elif what == "nan":
            say('{"jsonrpc": "2.0", "id": 2, "result": {"metrics": [[{"name": "loss", "value": NaN}]]}}\n')
        elif what == "id":
            say('{"jsonrpc": "2.0", "id": 99999, "result": {"metrics": []}}\n')
        elif what == "half":
            say('{"jsonrpc": "2.0", "id": 2, "resu')
            os._exit(0)
        elif what == "missing":
            say('{"jsonrpc": "2.0", "id": 2, "result": {"metrics": [[{"name": "loss", "value": 1, "count": 5}]]}}\n')
        elif what == "utf8":
            os.write(write, b'{"jsonrpc": "2.0", "id": 2, "result": {"metrics": [[{"name": "\xff"}]]}}\n')
        elif what == "endless":
            while True:
                say("x" * 65536)
        elif what == "stopped":
            os.kill(os.getpid(), signal.SIGSTOP)
        elif what == "ahead":
            say('{"jsonrpc": "2.0", "id": 2, "result": {"metrics": []}}\n')
        elif what == "lacking":
            raise cyclr_child.NoSuchMethod("updates")
        elif what == "close":
            os.close(write)
            time.sleep(1000)


def crash_at_shutdown(trainer, method, params, call=cyclr_child.call):
    if method == "shutdown":
        os.kill(os.getpid(), signal.SIGSEGV)
    return call(trainer, method, params)


if args.wrong == "shutdown":
    cyclr_child.call = crash_at_shutdown
cyclr_child.serve(Bowl())
if args.wrong == "stay" and not (args.unless and os.path.exists(args.unless)):
    print("staying")
    time.sleep(1000)
