# %% [markdown]
# # From the range test to a comparison
# On the embedded subset of Fashion-MNIST, with PyTorch on the CPU. It takes a minute or two.

# %%
import os

import cyclr
import cyclr.data
import cyclr.torch
import torch
from torch.utils.data import DataLoader, TensorDataset

QUICK = bool(os.environ.get("CYCLR_QUICK"))  # a test runs it in short
EPOCHS, SEEDS = (2, range(2)) if QUICK else (6, range(5))
BATCH = 100

# %% [markdown]
# ## What is trained
# A function that makes one run: model, optimizer, data. It is called once for each seed.

# %%
data = cyclr.data.fashion_mnist(validation=1000)
mean, deviation = data.train.images.mean() / 255, data.train.images.std() / 255


def part(images, labels):
    pixels = torch.from_numpy(images).float().div(255).sub(mean).div(deviation)
    return TensorDataset(pixels.flatten(1), torch.from_numpy(labels))


train, validation, test = part(*data.train), part(*data.validation), part(*data.test)


def build(run):
    torch.manual_seed(run.seed)
    model = torch.nn.Sequential(torch.nn.Linear(784, 128), torch.nn.ReLU(), torch.nn.Linear(128, 10))
    return cyclr.torch.Trainer(
        model,
        torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9),
        torch.nn.functional.cross_entropy,
        DataLoader(train, batch_size=BATCH, shuffle=True),
        validation=DataLoader(validation, batch_size=1000),
        test=DataLoader(test, batch_size=1000),
    )


# %% [markdown]
# ## Find
# Three repeats from three seeds: weights and the order of the data differ, and the intervals cover both.

# %%
found = cyclr.find(build, updates=900 if QUICK else 1800)
print(found)
found.plot()

# %%
if isinstance(found.answer, cyclr.NoAnswer):
    raise SystemExit(f"{found.answer.reason}: {found.answer.advice}")
cycles = cyclr.cycles(epochs=EPOCHS, examples=len(train), batch=BATCH)
cyclical = found.suggest(epochs=EPOCHS, examples=len(train), batch=BATCH)
print(cyclical, cycles)
cyclr.Schedule(cyclical, epochs=EPOCHS, examples=len(train), batch=BATCH).plot()

# %% [markdown]
# ## Train
# One run, read on the validation split at the end of every cycle, and on the test split once.

# %%
outcome = cyclr.train(build, cyclical, updates=cycles.updates, seed=0)
for made, measured in outcome.evaluations:
    print(made, measured.metrics)

# %% [markdown]
# ## Compare
# Three policies with the same seeds and the same budget. One rate from the range test is no tuned baseline: `cyclr compare`
# tunes every arm alike.

# %%
max_lr = found.bounds.max_lr.value
policies = {
    "fixed": cyclr.fixed(lr=max_lr / 3),
    "triangular2": cyclical,
    "linear": cyclr.linear(lr=max_lr),
}


def accuracy(spec, seed):
    trained = cyclr.train(build, spec, updates=cycles.updates, seed=seed)
    return 100 * trained.test.metrics[1].value


figures = {name: [accuracy(spec, seed) for seed in SEEDS] for name, spec in policies.items()}
for name, values in figures.items():
    print(f"{name:12} {cyclr.summary(values)}")

# %%
reference = figures.pop("fixed")
for name, judged in cyclr.judge(reference, figures, margin=0.5).items():
    print(f"{name:12} beside fixed: {judged.verdict}, {judged.difference} % test accuracy")
