"""A small GAN: two nets with an optimizer each, stepped one after the other. Lines marked `+` are cyclr's."""

import argparse

import torch
from torch.utils.data import DataLoader, TensorDataset
import cyclr.torch  # +

parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int, default=2)
args = parser.parse_args()
torch.manual_seed(0)
torch.set_num_threads(1)
cyclr.torch.begin(seed=0)  # +
real = 2 + 0.5 * torch.randn(600, 1, generator=torch.Generator().manual_seed(0))
train_loader = DataLoader(TensorDataset(real[:400]), batch_size=20, shuffle=True)
test_loader = DataLoader(TensorDataset(real[400:]), batch_size=100)
generator = torch.nn.Sequential(torch.nn.Linear(2, 8), torch.nn.ReLU(), torch.nn.Linear(8, 1))
critic = torch.nn.Sequential(torch.nn.Linear(1, 8), torch.nn.LeakyReLU(0.2), torch.nn.Linear(8, 1))
for_generator = torch.optim.Adam(generator.parameters(), lr=0.001, betas=(0.5, 0.999))
for_critic = torch.optim.Adam(critic.parameters(), lr=0.004, betas=(0.5, 0.999))
bce = torch.nn.functional.binary_cross_entropy_with_logits


def test(loader):
    """How far the mean of what is generated is from the real one."""
    wanted = torch.cat([x for (x,) in loader]).mean()
    return float((generator(torch.randn(200, 2)).mean() - wanted).abs())


run = cyclr.torch.attach([for_critic, for_generator], train=train_loader, model=[generator, critic],  # +
    validation=test_loader, evaluate=lambda split: test(run.held_out[split]), objective=("distance", "lower"))  # +
for epoch in range(args.epochs):
    for (x,) in train_loader:
        made = generator(torch.randn(len(x), 2))
        for_critic.zero_grad()
        says, of_made = critic(x), critic(made.detach())
        critic_loss = bce(says, torch.ones_like(says)) + bce(of_made, torch.zeros_like(of_made))
        critic_loss.backward()
        for_critic.step()
        for_generator.zero_grad()
        of_made = critic(made)
        generator_loss = bce(of_made, torch.ones_like(of_made))
        generator_loss.backward()
        for_generator.step()
        cyclr.torch.step(loss=critic_loss)  # +
    print(epoch, float(critic_loss), float(generator_loss))
