"""Scripts that know nothing of cyclr, of several kinds; each prints its losses."""

import argparse

import torch
from torch.utils.data import DataLoader, TensorDataset

parser = argparse.ArgumentParser()
parser.add_argument("--kind", default="plain")
parser.add_argument("--epochs", type=int, default=3)
parser.add_argument("--gamma", type=float, default=1.0)
args = parser.parse_args()
torch.manual_seed(7)
torch.set_num_threads(1)

inputs = torch.randn(330, 8, generator=torch.Generator().manual_seed(0))
labels = inputs[:, 0].gt(0).long()
loader = DataLoader(TensorDataset(inputs, labels), batch_size=30, shuffle=True)
if args.kind == "list":
    loader = [(inputs[:30], labels[:30])] * 11
body, head = torch.nn.Linear(8, 8), torch.nn.Linear(8, 2)
sgd = torch.optim.SGD(body.parameters(), lr=0.1, momentum=0.9)
second = torch.optim.SGD(head.parameters(), lr=0.02)
optimizers = [sgd, second]
if args.kind == "lbfgs":
    optimizers = [torch.optim.LBFGS([*body.parameters(), *head.parameters()])]
scaler = torch.amp.GradScaler("cpu", enabled=args.kind == "amp")
scheduler = torch.optim.lr_scheduler.StepLR(sgd, step_size=1, gamma=args.gamma)
losses = []


def closure():
    loss = torch.nn.functional.cross_entropy(head(body(x).tanh()), y)
    losses.append(loss.item())
    scaler.scale(loss).backward()
    return loss


def train(optimizers):
    global x, y
    for _ in range(args.epochs):
        for place, (x, y) in enumerate(loader):  # noqa: B007
            for optimizer in optimizers:
                optimizer.zero_grad()
            closure()
            if args.kind == "amp" and place == 0:
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
