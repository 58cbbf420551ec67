"""The plain script, attached: argparse, StepLR, a test after each epoch."""

import argparse

import cyclr.data
import cyclr.torch
import torch
import torch.nn.functional as F
from torch.optim.lr_scheduler import StepLR
from torch.utils.data import DataLoader, TensorDataset


def dataset(part):
    images = torch.from_numpy(part.images).float().div(255).sub(0.286).div(0.353)
    return TensorDataset(images, torch.from_numpy(part.labels))


def train(args, model, loader, optimizer, epoch, lr):
    model.train()
    for place, (images, labels) in enumerate(lr.batches(loader)):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
        lr.step()
        if place % args.log_interval == 0:
            print(f"epoch {epoch}: loss {loss.item():.4f}")


def test(model, loader):
    model.eval()
    loss, correct, count = 0.0, 0, 0
    with torch.no_grad():
        for images, labels in loader:
            outputs = model(images)
            loss += F.cross_entropy(outputs, labels, reduction="sum").item()
            correct += outputs.argmax(dim=1).eq(labels).sum().item()
            count += len(labels)
    print(f"test: loss {loss / count:.4f}, accuracy {correct}/{count}")
    return {"loss": loss / count, "correct": correct, "count": count}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--batch-size", type=int, default=100)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--lr", type=float, default=0.1)
    parser.add_argument("--gamma", type=float, default=0.7)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--log-interval", type=int, default=50)
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    cyclr.torch.begin(seed=args.seed)
    torch.set_num_threads(1)

    data = cyclr.data.fashion_mnist()
    train_loader = DataLoader(dataset(data.train), batch_size=args.batch_size, shuffle=True)
    test_loader = DataLoader(dataset(data.test), batch_size=1000)
    model = torch.nn.Sequential(
        torch.nn.Flatten(), torch.nn.Linear(784, 32), torch.nn.ReLU(), torch.nn.Dropout(0.1), torch.nn.Linear(32, 10)
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=args.lr, momentum=0.9)
    scheduler = StepLR(optimizer, step_size=1, gamma=args.gamma)
    lr = cyclr.torch.attach(
        optimizer,
        train=train_loader,
        model=model,
        validation=test_loader,
        evaluate=lambda split: test(model, lr.held_out[split]),
    )
    for epoch in lr.epochs(args.epochs):
        train(args, model, train_loader, optimizer, epoch, lr)
        test(model, test_loader)
        scheduler.step()


if __name__ == "__main__":
    main()
