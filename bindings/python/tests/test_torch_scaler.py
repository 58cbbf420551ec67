"""Mixed precision: steps that AMP's scaler skips, and losses that it scales."""

import math

import pytest

torch = pytest.importorskip("torch")

import cyclr  # noqa: E402
from cyclr._loop import MOST_SKIPPED, Figures, Loop  # noqa: E402
from cyclr.torch._losses import Losses  # noqa: E402
from torch.utils.data import DataLoader, TensorDataset  # noqa: E402

INPUTS = torch.randn(80, 3, generator=torch.Generator().manual_seed(0))
SKIPPED = {1, 2, 5}


def training(optimizer=torch.optim.SGD, **settings):
    """A model, and a trainer of it whose gradients overflow in some attempts; what it has tried is counted."""
    torch.manual_seed(0)
    model = torch.nn.Linear(3, 1)
    tried = []

    def loss_fn(outputs, targets):
        place = len(tried)
        tried.append(place)
        if outputs.requires_grad and place in SKIPPED:
            outputs.register_hook(lambda gradient: gradient * torch.inf)
        return (outputs - targets).square().mean()

    loader = DataLoader(TensorDataset(INPUTS, INPUTS[:, :1]), batch_size=4)
    scaler = torch.amp.GradScaler("cpu")
    fused = {"fused": True} if settings.pop("fused", False) else {}
    trainer = cyclr.torch.Trainer(
        model, optimizer(model.parameters(), lr=0.1, **fused), loss_fn, loader, scaler=scaler, **settings
    )
    return model, trainer, tried


@pytest.mark.parametrize("fused", [False, True])
def test_steps_that_the_scaler_skips_use_no_rate(fused):
    """Against a loop by hand, without a scaler, over the batches whose gradients are finite."""
    rates = [0.1, 0.2, 0.05, 0.3, 0.1]
    model, trainer, tried = training(fused=fused)
    made = trainer.updates([cyclr.Hyper(rate) for rate in rates])
    weight, bias = (value.detach().clone().requires_grad_() for value in training()[0].parameters())
    losses = []
    for place, rate in zip([place for place in range(8) if place not in SKIPPED], rates):
        x = INPUTS[4 * place : 4 * place + 4]
        loss = (x @ weight.T + bias - x[:, :1]).square().mean()
        losses.append(loss.item())
        for value, gradient in zip((weight, bias), torch.autograd.grad(loss, (weight, bias))):
            value.data -= rate * gradient
    assert len(tried) == 8
    assert [metrics[0].value for metrics in made] == pytest.approx(losses, rel=1e-5)
    torch.testing.assert_close(model.weight, weight)


def test_a_step_of_ones_own_that_is_skipped_uses_no_rate():
    model, trainer, tried = training()
    optimizer, scaler, loss_fn = trainer.optimizers[0], trainer.scaler, trainer.forward.loss_fn

    def step(batch):
        optimizer.zero_grad()
        loss = loss_fn(model(batch[0]), batch[1])
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        return {"loss": loss.item()}

    trainer.own_step = step
    assert len(trainer.updates([cyclr.Hyper(0.1)] * 5)) == 5 and len(tried) == 8


def test_gradients_that_are_finite_at_no_scale_are_a_divergence():
    """The loss is finite, and training would else go on for ever without an update."""
    model, trainer, tried = training()
    model.weight.register_hook(lambda gradient: gradient * torch.nan)
    made = trainer.updates([cyclr.Hyper(0.1)] * 5)
    assert len(made) == 1 and math.isnan(made[0][0].value) and len(tried) == MOST_SKIPPED
    loop = Loop(None)
    assert [loop.skipped(0.5) for _ in range(MOST_SKIPPED - 1)] == [None] * (MOST_SKIPPED - 1)
    assert math.isnan(loop.skipped(0.5)) and loop.skipped(math.inf) == math.inf
    loop.made(Figures(0.5, 1))
    assert loop.skipped(0.5) is None


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
@pytest.mark.parametrize(
    ("propagate", "loss"),
    [
        (lambda scale, weight: scale(weight * 3).backward(), 6.0),
        (lambda scale, weight: (scale(weight * 3) + scale(weight)).backward(), 8.0),
        (lambda scale, weight: torch.stack([scale(weight * 3), scale(weight)]).mean().backward(), 4.0),
        (lambda scale, weight: torch.autograd.backward([scale(weight * 3), scale(weight)]), 8.0),
        (lambda scale, weight: torch.autograd.backward(weight * 3), 6.0),
    ],
)
def test_the_loss_is_seen_without_the_scale(propagate, loss, dtype):
    losses = Losses().watch()
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**12 if dtype == torch.float16 else 2.0**16)
    propagate(scaler.scale, torch.tensor(2.0, requires_grad=True, dtype=dtype))
    assert losses.take() == loss


def test_the_mean_over_micro_batches_is_divided_once_wherever_the_loop_divides():
    """Before it scales the loss, after that, or not at all."""
    losses = Losses().watch()
    scaler = torch.amp.GradScaler("cpu")
    for divide in (lambda x: scaler.scale(x / 4), lambda x: scaler.scale(x) / 4, scaler.scale):
        for value in (1.0, 2.0, 3.0, 6.0):
            weight = torch.tensor(value, requires_grad=True)
            divide(weight * 1.5).backward()
        assert losses.take() == 4.5
        # The last accumulation of an epoch is shorter.
        divide(torch.tensor(2.0, requires_grad=True) * 1.5).backward()
        assert losses.take() == 3.0


def test_what_a_backward_pass_propagates_by_itself_is_no_loss():
    losses = Losses().watch()
    weight = torch.ones(2, requires_grad=True)
    torch.utils.checkpoint.checkpoint(lambda x: (x * 2).sum(), weight, use_reentrant=True).backward()
    assert losses.take() == 4.0
    with pytest.raises(RuntimeError):
        torch.ones(1).sum().backward()
    losses.clear()
    weight.sum().backward()
    assert losses.take() == 2.0
