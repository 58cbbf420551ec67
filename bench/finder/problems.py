"""Makes range-test problems with PyTorch: recorded sweeps and the grid of trainings that is their truth.

    python3 problems.py OUT [NAME ...]

Writes OUT/NAME/{exp,lin,exp2,lin2}-R.csv (columns update,lr,loss,correct,count) and OUT/NAME/grid.json, in the form
that testdata/range-curves/README.md describes. Needs torch, numpy and scikit-learn (requirements.txt), and the
gzipped Fashion-MNIST files in the folder that FASHION names and the binary CIFAR-10 files in the one that CIFAR names. Sweep ends and lengths are drawn at random, over decades, from
the problem's name, so that no fixed fraction of a sweep's last rate can serve as a rule.
"""
import gzip, json, math, os, struct, sys, time, zlib
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

torch.set_num_threads(1)
GRID_SEEDS, REPEATS = int(os.environ.get("GRID_SEEDS", 3)), 5


# ---- data: (train_x, train_y, val_x, val_y) ------------------------------------------------------------------------
def fashion(n, pool=1, flat=True, val=2500):
    def idx(name):
        raw = gzip.open(Path(os.environ["FASHION"]) / name).read()
        dims = struct.unpack(">" + "I" * raw[3], raw[4 : 4 + 4 * raw[3]])
        return torch.from_numpy(np.frombuffer(raw, np.uint8, offset=4 + 4 * raw[3]).reshape(dims).copy())

    x = idx("train-images-idx3-ubyte.gz")[: n + val].float()[:, None] / 255
    y = idx("train-labels-idx1-ubyte.gz")[: n + val].long()
    x = F.avg_pool2d(x, pool) if pool > 1 else x
    x = (x - 0.286) / 0.353
    x = x.flatten(1) if flat else x
    return x[:n], y[:n], x[n:], y[n:]


def digits(flat=True):
    from sklearn.datasets import load_digits

    d = load_digits()
    order = np.random.default_rng(7).permutation(len(d.target))
    x = torch.tensor(d.images[order], dtype=torch.float32)[:, None] / 8 - 1
    y = torch.tensor(d.target[order]).long()
    x = x.flatten(1) if flat else x
    return x[:1300], y[:1300], x[1300:], y[1300:]


def cifar(n=5000, val=2500):
    """The first images of CIFAR-10's first batch, at half size, in the standard binary form; CIFAR names its folder."""
    raw = np.fromfile(Path(os.environ["CIFAR"]) / "data_batch_1.bin", np.uint8).reshape(-1, 3073)[: n + val]
    y = torch.from_numpy(raw[:, 0].astype(np.int64))
    x = torch.from_numpy(raw[:, 1:].reshape(-1, 3, 32, 32).astype(np.float32)) / 255
    x = (F.avg_pool2d(x, 2) - 0.47) / 0.25
    return x[:n], y[:n], x[n:], y[n:]


def table(n=3000, classes=6, noise=0.05):
    from sklearn.datasets import make_classification

    x, y = make_classification(n + 2000, 30, n_informative=12, n_redundant=4, n_classes=classes, n_clusters_per_class=2,
                               flip_y=noise, class_sep=1.4, random_state=11)
    x = torch.tensor((x - x.mean(0)) / x.std(0), dtype=torch.float32)
    y = torch.tensor(y).long()
    return x[:n], y[:n], x[n:], y[n:]


# ---- nets ----------------------------------------------------------------------------------------------------------
def mlp(sizes, act=nn.ReLU, bn=False):
    layers = []
    for a, b in zip(sizes[:-2], sizes[1:-1]):
        layers += [nn.Linear(a, b), *([nn.BatchNorm1d(b)] if bn else []), act()]
    return nn.Sequential(*layers, nn.Linear(*sizes[-2:]))


def cnn(side, widths, bn=False, head=None, k=3, channels=1):
    layers, c = [], channels
    for w in widths:
        layers += [nn.Conv2d(c, w, k, padding=k // 2), *([nn.BatchNorm2d(w)] if bn else []), nn.ReLU(), nn.MaxPool2d(2)]
        c, side = w, side // 2
    flat = c * side * side
    tail = [nn.Linear(flat, head), nn.ReLU(), nn.Linear(head, 10)] if head else [nn.Linear(flat, 10)]
    return nn.Sequential(*layers, nn.Flatten(), *tail)


class Residual(nn.Module):
    def __init__(self, inputs, width, blocks, classes):
        super().__init__()
        self.first, self.last = nn.Linear(inputs, width), nn.Linear(width, classes)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width), nn.GELU(), nn.Linear(width, width)) for _ in range(blocks))
        self.norm = nn.LayerNorm(width)

    def forward(self, x):
        x = self.first(x)
        for block in self.blocks:
            x = x + block(x)
        return self.last(self.norm(x))


# ---- problems: data, net, optimizer, batch, updates of the truth's training, lowest and highest rate of its grid -----
sgd = lambda m=0.0, wd=0.0, nesterov=False: lambda p: torch.optim.SGD(p, 1.0, momentum=m, weight_decay=wd, nesterov=nesterov)
adam = lambda: lambda p: torch.optim.Adam(p, 1.0)
adamw = lambda wd: lambda p: torch.optim.AdamW(p, 1.0, weight_decay=wd)
rmsprop = lambda: lambda p: torch.optim.RMSprop(p, 1.0, alpha=0.9)
adagrad = lambda: lambda p: torch.optim.Adagrad(p, 1.0)
PROBLEMS = {
    "mlp-fashion-adam": (lambda: fashion(4000), lambda: mlp([784, 96, 10]), adam(), 50, 480, 1e-5, 1.0),
    "cnnbn-fashion-momentum": (lambda: fashion(4000, 2, False), lambda: cnn(14, [12, 24], bn=True), sgd(0.9, 5e-4, True), 64, 360, 1e-4, 10.0),
    "softmax-fashion-sgd": (lambda: fashion(4000), lambda: mlp([784, 10]), sgd(), 50, 480, 1e-5, 3.0),
    "tanh-digits-momentum": (lambda: digits(), lambda: mlp([64, 64, 64, 64, 10], nn.Tanh), sgd(0.9), 32, 400, 1e-4, 10.0),
    "mlpbn-digits-sgd": (lambda: digits(), lambda: mlp([64, 128, 128, 10], bn=True), sgd(0.0, 1e-4), 32, 320, 1e-3, 100.0),
    "cnn-digits-adamw": (lambda: digits(False), lambda: cnn(8, [16, 32]), adamw(0.01), 32, 360, 1e-5, 1.0),
    "mlp-table-rmsprop": (lambda: table(), lambda: mlp([30, 64, 64, 6]), rmsprop(), 40, 600, 1e-6, 1.0),
    "res-fashion-adamw": (lambda: fashion(4000, 2), lambda: Residual(196, 64, 3, 10), adamw(0.05), 64, 420, 1e-5, 1.0),
    "lenet-fashion-adagrad": (lambda: fashion(4000, 2, False), lambda: cnn(14, [8, 16], head=64, k=5), adagrad(), 64, 400, 1e-5, 3.0),
    "mlp-table-momentum": (lambda: table(4000, 4, 0.15), lambda: mlp([30, 100, 4]), sgd(0.95, 1e-3), 100, 360, 1e-5, 10.0),
    # Made after the rule's constants were chosen, and tried once.
    "mlp-fashion-nesterov": (lambda: fashion(5000, 2), lambda: mlp([196, 128, 64, 10]), sgd(0.9, 1e-4, True), 128, 420, 1e-5, 10.0),
    "cnn-digits-sgd": (lambda: digits(False), lambda: cnn(8, [16, 32], head=64), sgd(), 50, 360, 1e-3, 100.0),
    "cnn-cifar-momentum": (lambda: cifar(), lambda: cnn(16, [16, 32], head=64, channels=3), sgd(0.9, 1e-3), 100, 480, 1e-5, 3.0),
    "mlp-digits-adam": (lambda: digits(), lambda: mlp([64, 128, 10]), adam(), 32, 300, 1e-5, 3.0),
}


class Run:
    """One training; the seed decides the initial weights and the order of the data."""

    def __init__(self, name, seed):
        data, net, opt, self.batch, *_ = PROBLEMS[name]
        self.data = CACHE.setdefault(name, None) or CACHE.__setitem__(name, data()) or CACHE[name]
        torch.manual_seed(seed)
        self.net, self.rng = net(), np.random.default_rng(seed)
        self.opt, self.order = opt(self.net.parameters()), []

    def update(self, lr):
        x, y = self.data[:2]
        if len(self.order) == 0:
            self.order = self.rng.permutation(len(y))
        take, self.order = self.order[: self.batch], self.order[self.batch :]
        x, y = x[take], y[take]
        if len(y) < 2:
            return self.update(lr)
        for group in self.opt.param_groups:
            group["lr"] = lr
        self.net.train()
        self.opt.zero_grad()
        out = self.net(x)
        loss = F.cross_entropy(out, y)
        loss.backward()
        self.opt.step()
        return loss.item(), int((out.argmax(1) == y).sum()), len(y)

    def accuracy(self):
        self.net.eval()
        with torch.no_grad():
            return (self.net(self.data[2]).argmax(1) == self.data[3]).double().mean().item()


CACHE = {}


def sweep(name, seed, rates, path):
    run, best, rows = Run(name, seed), math.inf, ["update,lr,loss,correct,count"]
    for i, lr in enumerate(rates):
        loss, correct, count = run.update(lr)
        rows.append(f"{i},{lr:.7g},{loss:.6g},{correct},{count}")
        best = min(best, loss)
        if not math.isfinite(loss) or (loss > 4 * rows_first(rows) and loss > 4 * best):
            break
    path.write_text("\n".join(rows) + "\n")
    return lr


def rows_first(rows):
    return float(rows[1].split(",")[2])


def triangular(name, seed, base, peak, updates, points=()):
    """Final validation accuracy of triangular training of six half-cycles, and the accuracy at `points`."""
    run, step, seen = Run(name, seed), updates / 6, []
    for i in range(updates):
        if i in points:
            seen.append(run.accuracy())
        loss, *_ = run.update(base + (peak - base) * (1 - abs(i % (2 * step) / step - 1)))
        if not math.isfinite(loss):
            return 0.0, seen + [0.0] * (len(points) - len(seen))
    return run.accuracy(), seen


def make(name, out):
    began, folder = time.time(), out / name
    folder.mkdir(parents=True, exist_ok=True)
    low, high, updates = PROBLEMS[name][5], PROBLEMS[name][6], PROBLEMS[name][4]
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    blow = []
    for kind in ("exp", "exp2"):
        n, start, end = int(rng.integers(130, 400)), low * 10 ** rng.uniform(-2, 0), high * 10 ** rng.uniform(0.3, 1.5)
        for r in range(REPEATS):
            rates = start * (end / start) ** (np.arange(n) / (n - 1))
            blow.append(sweep(name, 100 + r + 10 * (kind == "exp2"), rates, folder / f"{kind}-{r}.csv"))
    for kind, (a, b) in (("lin", (-0.5, 0.1)), ("lin2", (-1.3, 0.5))):
        n, end = int(rng.integers(150, 400)), np.median(blow) * 10 ** rng.uniform(a, b)
        for r in range(REPEATS):
            sweep(name, 200 + r + 10 * (kind == "lin2"), end * np.arange(n) / (n - 1), folder / f"{kind}-{r}.csv")
    print(name, "sweeps", round(time.time() - began, 1), flush=True)

    cells = {}
    cell = lambda lr: cells.setdefault(f"{lr:.6g}", None) or cells.__setitem__(
        f"{lr:.6g}", [triangular(name, 300 + s, lr / 4, lr, updates)[0] for s in range(GRID_SEEDS)]) or cells[f"{lr:.6g}"]
    third = lambda k: 10 ** (k / 8)
    lows, highs = round(8 * math.log10(low)), round(8 * math.log10(high))
    for k in range(lows, highs + 1, 4):
        if np.mean(cell(third(k))) < 0.3 and k > lows + 8 and max(map(np.mean, cells.values())) > 0.5 and k % 8 == 0:
            break
    best = max((np.mean(v), float(k)) for k, v in cells.items())[1]
    mid = round(8 * math.log10(best))
    for k in range(mid - 4, mid + 6):
        cell(third(k))
    best = max((np.mean(v), float(k)) for k, v in cells.items())[1]
    # The base at the best max: the accuracy every 1/20 of the training, for bases from max/1000 to max.
    points = [updates * j // 20 for j in range(1, 20)]
    bases = {}
    for ratio in (1, 2, 4, 8, 16, 64, 1000):
        runs = [triangular(name, 300 + s, best / ratio, best, updates, points) for s in range(GRID_SEEDS)]
        bases[f"{best / ratio:.6g}"] = [seen + [last] for last, seen in runs]
    json.dump({"problem": name, "policy": f"triangular base=max/4 step={updates // 6} updates={updates}",
               "accuracy": {k: v for k, v in sorted(cells.items(), key=lambda kv: float(kv[0]))},
               "base": {"max_lr": best, "at_updates": points + [updates], "accuracy": bases},
               "torch": torch.__version__, "seconds": round(time.time() - began, 1)}, open(folder / "grid.json", "w"))
    print(name, "done", round(time.time() - began, 1), {k: round(100 * float(np.mean(v)), 1) for k, v in sorted(cells.items(), key=lambda kv: float(kv[0]))}, flush=True)


if __name__ == "__main__":
    for name in sys.argv[2:] or PROBLEMS:
        make(name, Path(sys.argv[1]))
