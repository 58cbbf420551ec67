"""What modules and optimizers keep in attributes: states hold it, and range tests and evaluations leave no trace in it."""

from collections import deque

import cyclr
import pytest

torch = pytest.importorskip("torch")

import cyclr.torch  # noqa: E402
from torch.nn.functional import cross_entropy  # noqa: E402
from torch.utils.data import DataLoader, TensorDataset  # noqa: E402

RATES = [cyclr.Hyper(0.05)] * 6


def loader(seed=2):
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(96, 8, generator=generator)
    data = TensorDataset(inputs, inputs[:, 0].gt(0).long())
    return DataLoader(data, 16, shuffle=True, generator=torch.Generator().manual_seed(seed))


class Recurrent(torch.nn.Module):
    """Carries its hidden state, in a tuple, from one batch to the next; also where it is measured."""

    def __init__(self):
        super().__init__()
        self.cell, self.head = torch.nn.LSTMCell(8, 8), torch.nn.Linear(8, 2)
        self.hidden = None
        self.register_buffer("mean", torch.zeros(16, 8))

    def forward(self, inputs):
        self.hidden = tuple(part.detach() for part in self.cell(inputs + self.mean, self.hidden))
        self.mean.lerp_(self.hidden[0], 0.1)
        return self.head(self.hidden[0])


class Remembering(torch.nn.Linear):
    """Scales by what it remembers of its last calls, in containers of several kinds."""

    def __init__(self):
        super().__init__(8, 2)
        self.sizes, self.usage, self.last = [], {"calls": 0, "sums": torch.zeros(8)}, deque([1.0], maxlen=3)

    def forward(self, inputs):
        self.sizes.append(len(inputs))
        self.usage["calls"] += 1
        self.usage["sums"] += inputs.detach().sum(0)
        self.last.append(float(inputs.detach().abs().mean()))
        scale = sum(self.last) + self.usage["calls"] / (10 + len(self.sizes))
        return super().forward(inputs * scale + 0.01 * self.usage["sums"])


class Merging(torch.nn.Linear):
    """Merges a correction of its weights into them where it is measured, as LoRA's layers do."""

    def __init__(self):
        super().__init__(8, 2)
        self.correction = torch.nn.Parameter(torch.full((2, 8), 0.1))
        self.weight.requires_grad_(False)
        self.merged = False

    def train(self, mode=True):
        super().train(mode)
        if mode == self.merged:
            self.weight.data += self.correction.data * (-1 if mode else 1)
            self.merged = not mode
        return self

    def forward(self, inputs):
        return super().forward(inputs) + (0 if self.merged else inputs @ self.correction.t())


class Observing(torch.nn.Module):
    """Has a buffer that grows in place, as torch's observers have for quantization."""

    def __init__(self):
        super().__init__()
        self.register_buffer("least", torch.zeros(0))

    def forward(self, inputs):
        self.least.resize_(inputs.shape[1]).copy_(inputs.detach().amin(0))
        return inputs - self.least


def observing():
    return torch.nn.Sequential(Observing(), torch.nn.Linear(8, 2))


def scripted():
    parts = [torch.nn.Linear(8, 8), torch.nn.BatchNorm1d(8), torch.nn.ReLU(), torch.nn.Linear(8, 2)]
    return torch.jit.script(torch.nn.Sequential(*parts))


def normalised():
    return torch.nn.Sequential(torch.nn.utils.spectral_norm(torch.nn.Linear(8, 8)), torch.nn.ReLU(), Remembering())


class Adaptive(torch.optim.SGD):
    """Divides its rate by the largest of the last norms."""

    def __init__(self, weights):
        super().__init__(weights, lr=0.05)
        self.norms, self.decayed = [], torch.tensor(1.0)

    def step(self, closure=None):
        weights = self.param_groups[0]["params"]
        self.norms = [*self.norms, sum(float(one.grad.norm()) for one in weights if one.grad is not None)][-4:]
        self.decayed = self.decayed * 0.9
        self.param_groups[0]["lr"] *= float(self.decayed) / max(self.norms)
        return super().step(closure)


KINDS = {
    "hidden state": (Recurrent, lambda weights: torch.optim.SGD(weights, lr=0.05, momentum=0.9)),
    "containers": (Remembering, lambda weights: torch.optim.SGD(weights, lr=0.05, momentum=0.9)),
    "merging": (Merging, lambda weights: torch.optim.Adam(weights, lr=0.05)),
    "spectral norm": (normalised, lambda weights: torch.optim.SGD(weights, lr=0.05, momentum=0.9)),
    "observer": (observing, lambda weights: torch.optim.SGD(weights, lr=0.05)),
    "scripted": (scripted, lambda weights: torch.optim.SGD(weights, lr=0.05, momentum=0.9)),
    "optimizer": (lambda: torch.nn.Linear(8, 2), Adaptive),
}


def trainer(kind, seed=1, evaluate=None):
    torch.manual_seed(seed)
    model, optimizer = KINDS[kind][0](), KINDS[kind][1]
    trained = optimizer([one for one in model.parameters() if one.requires_grad])
    return cyclr.torch.Trainer(model, trained, cross_entropy, loader(), validation=loader(3), evaluate=evaluate)


@pytest.mark.parametrize("kind", KINDS)
def test_a_state_holds_it(kind):
    first, second = trainer(kind), trainer(kind, seed=5)
    first.updates(RATES)
    state = first.state()
    straight = first.updates(RATES * 2)
    second.restore(state)
    assert second.updates(RATES * 2) == straight


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("made", [0, 4])
def test_an_evaluation_leaves_no_trace_in_it(kind, made):
    measured, quiet = trainer(kind), trainer(kind)
    for one in (measured, quiet):
        one.updates(RATES[:made])
    assert measured.evaluate("validation") == measured.evaluate("validation")
    assert measured.updates(RATES * 2) == quiet.updates(RATES * 2)
    for one, other in zip(measured.model.state_dict().values(), quiet.model.state_dict().values()):
        assert torch.equal(one, other)


@pytest.mark.parametrize("kind", KINDS)
def test_a_range_test_leaves_no_trace_in_it(kind):
    tested, quiet = trainer(kind), trainer(kind)
    settings = {"sweep": cyclr.Sweep(1e-3, 0.1, 20), "repeats": 2}
    cyclr.torch.range_test(tested.model, tested.optimizers, cross_entropy, loader(), **settings)
    assert tested.updates(RATES * 2) == quiet.updates(RATES * 2)


def test_what_is_measured_is_what_the_mode_of_evaluation_makes_of_a_model():
    """A model that merges weights is merged there."""
    seen = []
    one = trainer("merging", evaluate=lambda split: seen.append(one.model.merged) or {"loss": 1.0})
    one.evaluate("validation")
    assert seen == [True] and not one.model.merged
