"""A loop with much in it: accumulation, AMP that skips the first update, clipping, an average of the weights, groups.

Alone it prints its losses. `--ema registered` and `--way bare` vary it, `--counts` when it calls `lr.step()`.
"""

import argparse
import itertools

import cyclr.torch
import torch
from torch.utils.data import DataLoader, TensorDataset

parser = argparse.ArgumentParser()
parser.add_argument("--ema", choices=["no", "registered", "forgotten", "object"], default="no")
parser.add_argument("--way", choices=["batches", "bare", "list", "sampler"], default="batches")
parser.add_argument("--accumulate", type=int, default=1)
parser.add_argument("--silent", action="store_true")
parser.add_argument("--whole", action="store_true")
parser.add_argument("--leaves", choices=["slice", "break", "anywhere"])
parser.add_argument("--divided", action="store_true")
parser.add_argument("--counts", choices=["updates", "batches", "nothing"], default="updates")
parser.add_argument("--holding", action="store_true")
parser.add_argument("--amp", action="store_true")
parser.add_argument("--epochs", type=int, default=4)
args = parser.parse_args()
torch.set_num_threads(1)
run = cyclr.torch.begin(seed=3)

generator = torch.Generator().manual_seed(0)
inputs = torch.randn(420, 8, generator=generator)
labels = (inputs[:, 0] + 0.5 * torch.randn(420, generator=generator)).gt(0).long()
loader = DataLoader(TensorDataset(inputs[:320], labels[:320]), batch_size=20, shuffle=True)
if args.way == "list":
    loader = list(loader)
if args.way == "sampler":

    class Sorted(torch.utils.data.RandomSampler):
        """It may hold what nobody knows of."""

    loader = DataLoader(loader.dataset, batch_size=20, sampler=Sorted(loader.dataset))
held_out = DataLoader(TensorDataset(inputs[320:], labels[320:]), batch_size=25)

model = torch.nn.Sequential(torch.nn.Linear(8, 8), torch.nn.Dropout(0.2), torch.nn.ReLU(), torch.nn.Linear(8, 2))
groups = [{"params": model[0].parameters()}, {"params": model[3].parameters(), "lr": 0.05}]
optimizer = torch.optim.SGD(groups, lr=0.1, momentum=0.9)


class Holding(torch.optim.Optimizer):
    """Has another make its steps, and is to be measured in another mode than it trains in."""

    mode = "train"

    def __init__(self, held):
        super().__init__(held.param_groups, {})
        self.held, self.param_groups = held, held.param_groups

    def second_step(self):
        self.held.step()

    def train(self):
        self.mode = "train"

    def eval(self):
        self.mode = "eval"


if args.holding:
    optimizer = Holding(optimizer)
scaler = torch.amp.GradScaler("cpu", enabled=args.amp)
ema = None
if args.ema != "no":
    decay = torch.optim.swa_utils.get_ema_multi_avg_fn(0.9)
    ema = torch.optim.swa_utils.AveragedModel(model, multi_avg_fn=decay)


def evaluate(split):
    assert getattr(optimizer, "mode", "eval") == "eval"
    net, loss, correct = ema or model, 0.0, 0
    for x, y in held_out if args.whole else lr.held_out[split]:
        out = net(x)
        loss += torch.nn.functional.cross_entropy(out, y, reduction="sum").item()
        correct += (out.argmax(1) == y).sum().item()
    return {"loss": loss / 50, "correct": correct, "count": 50}


lr = cyclr.torch.attach(
    optimizer,
    train=loader,
    model=model,
    evaluate=evaluate,
    validation=held_out,
    scaler=scaler,
    accumulate=1 if args.silent else args.accumulate,
)
if args.ema == "registered":
    lr.register(ema)
if args.ema == "object":
    lr.register(ema)
    lr.register(save=lambda: args, load=print)

losses = []
for _epoch in lr.epochs(args.epochs) if args.way == "batches" else range(args.epochs):
    batches = lr.batches(loader) if args.way == "batches" else loader
    most = 7 if args.leaves != "anywhere" else 5 + _epoch % 2
    for place, (x, y) in enumerate(itertools.islice(batches, 7) if args.leaves == "slice" else batches):
        if args.leaves in ("break", "anywhere") and place == most:
            break
        loss = torch.nn.functional.cross_entropy(model(x), y)
        losses.append(loss.item())
        scaler.scale(loss / args.accumulate if args.divided else loss).backward()
        if (place + 1) % args.accumulate == 0:
            if args.amp and _epoch == 0 and place < args.accumulate:
                model[0].weight.grad.fill_(torch.inf)
            if args.amp:
                scaler.unscale_(optimizer)
            torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
            if args.holding:
                optimizer.second_step()
            else:
                scaler.step(optimizer)
                scaler.update()
            optimizer.zero_grad()
            if args.counts == "updates":
                lr.step()
            if ema:
                ema.update_parameters(model)
        if args.counts == "batches":
            lr.step()
    torch.rand(1)
print("losses", losses)
print("rates", [group["lr"] for group in optimizer.param_groups])
