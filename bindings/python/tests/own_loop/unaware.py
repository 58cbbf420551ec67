"""Scripts that know nothing of cyclr, of several kinds; each prints its losses."""

import argparse

import torch
from torch.utils.data import DataLoader, TensorDataset

parser = argparse.ArgumentParser()
parser.add_argument("--kind", default="plain")
parser.add_argument("--epochs", type=int, default=3)
parser.add_argument("--gamma", type=float, default=1.0)
parser.add_argument("--cycle-momentum", action="store_true")
args = parser.parse_args()
torch.manual_seed(7)
torch.set_num_threads(1)

inputs = torch.randn(330, 8, generator=torch.Generator().manual_seed(0))
labels = inputs[:, 0].gt(0).long()
loader = DataLoader(TensorDataset(inputs, labels), batch_size=30, shuffle=True)
if args.kind == "list":
    loader = [(inputs[:30], labels[:30])] * 11
if args.kind == "stream":

    class Stream(torch.utils.data.IterableDataset):
        def __iter__(self):
            return iter(zip(inputs, labels))

    loader = DataLoader(Stream(), batch_size=30)


class Derived(torch.optim.SGD):
    """Its step makes the base class's, which has hooks of its own as soon as there is one of that class."""

    def step(self, closure=None):
        return super().step(closure)


class Holding(torch.optim.Optimizer):
    """Its step is that of another, which has the same groups."""

    def __init__(self, weights, lr):
        super().__init__(weights, {"lr": lr})
        self.held = torch.optim.SGD(self.param_groups, lr=lr)
        self.param_groups = self.held.param_groups

    def step(self, closure=None):
        return self.held.step(closure)


body, head = torch.nn.Linear(8, 8), torch.nn.Linear(8, 2)
sgd = torch.optim.SGD(body.parameters(), lr=0.1, momentum=0.9)
second = torch.optim.SGD(head.parameters(), lr=0.02)
optimizers = [sgd, second]
if args.kind == "lbfgs":
    optimizers = [torch.optim.LBFGS([*body.parameters(), *head.parameters()])]
if args.kind == "fused":
    optimizers = [torch.optim.SGD([*body.parameters(), *head.parameters()], lr=0.1, fused=True)]
if args.kind in ("holding", "derived"):
    optimizers = [Holding(body.parameters(), 0.1), Derived(head.parameters(), lr=0.02)]
with_scaler = args.kind in ("amp", "fused")
scaler = torch.amp.GradScaler("cpu", enabled=with_scaler)
scheduler = torch.optim.lr_scheduler.StepLR(optimizers[0], step_size=1, gamma=args.gamma)
if args.cycle_momentum:
    scheduler = torch.optim.lr_scheduler.CyclicLR(sgd, 0.1, 0.2, step_size_up=1)
losses = []
if args.kind == "checkpoint":
    second = torch.optim.Adam(head.parameters(), lr=0.02)
    kept = {"step": torch.tensor(3.0), "exp_avg": torch.zeros(2), "exp_avg_sq": torch.zeros(2)}
    second.load_state_dict({**second.state_dict(), "state": {1: kept}})
if args.kind == "prepared":
    # As Accelerate does; this kind has a state from its beginning.
    second = torch.optim.Adagrad(head.parameters(), lr=0.02)
    second.load_state_dict(second.state_dict())
    optimizers = [sgd, second]


def closure():
    loss = torch.nn.functional.cross_entropy(head(body(x).tanh()), y)
    losses.append(loss.item())
    if args.kind == "two losses":
        (3 * loss).backward(retain_graph=True)
    if args.kind == "parts":
        (loss / 2).backward(retain_graph=True)
        loss = loss / 2
    scaler.scale(loss).backward()
    return loss


def train(optimizers):
    global x, y
    for _ in range(args.epochs):
        if args.kind == "trial" and not losses:
            x, y = next(iter(loader))
            closure()
        batches = iter(loader)
        beside = iter(DataLoader(TensorDataset(inputs[:60]), batch_size=2)) if args.kind == "beside" else None
        if args.kind == "validating":
            list(DataLoader(TensorDataset(inputs), batch_size=110))
        for place, (x, y) in enumerate(batches):  # noqa: B007
            for optimizer in optimizers:
                optimizer.zero_grad()
            if beside is not None:
                next(beside)
            closure()
            if with_scaler and place == 0:
                body.weight.grad.fill_(torch.inf)
                head.weight.grad.fill_(torch.inf)
            for optimizer in optimizers:
                if args.kind == "lbfgs":
                    optimizer.step(closure)
                elif args.kind == "own":
                    with torch.no_grad():
                        for weight in body.parameters():
                            weight -= 0.1 * weight.grad
                else:
                    scaler.step(optimizer)
            scaler.update()
        scheduler.step()


train(optimizers)
if args.kind == "twice":
    train([torch.optim.Adam([*body.parameters(), *head.parameters()])])
print("losses", losses)
