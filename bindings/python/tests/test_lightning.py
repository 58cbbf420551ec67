import warnings

import cyclr
import pytest

torch = pytest.importorskip("torch")
lightning = pytest.importorskip("lightning.pytorch")

from torch.utils.data import DataLoader, IterableDataset, TensorDataset  # noqa: E402

SPEC = "triangular(base=0.01, max=0.1, step=5, momentum=0.8..0.9)"


class Module(lightning.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = torch.nn.Linear(4, 1)
        self.used = []

    def training_step(self, batch, _):
        return self.net(batch[0]).pow(2).mean()

    def on_before_optimizer_step(self, optimizer):
        self.used.append((optimizer.param_groups[0]["lr"], optimizer.param_groups[0]["momentum"]))

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.5, momentum=0.5)


def fit(module, folder, epochs, ckpt_path=None, **settings):
    loader = DataLoader(TensorDataset(torch.ones(64, 4)), batch_size=8)
    trainer = lightning.Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=folder,
        **settings,
    )
    trainer.fit(module, loader, ckpt_path=ckpt_path)
    return trainer


def expected(updates, count):
    schedule = cyclr.Schedule(SPEC, updates=updates)
    return [(schedule.at(i).lr, schedule.at(i).momentum) for i in range(count)]


@pytest.mark.parametrize("accumulate", [1, 2])
def test_every_update_uses_the_schedule(tmp_path, accumulate):
    from cyclr.lightning import CyclrCallback

    module = Module()
    fit(module, tmp_path, 4, callbacks=[CyclrCallback(SPEC)], accumulate_grad_batches=accumulate)
    updates = 32 // accumulate
    assert module.used == expected(updates, updates)


class Manual(lightning.LightningModule):
    """Two optimizers, of which the second makes a step in every second batch, or one with two steps a batch."""

    def __init__(self, count):
        super().__init__()
        self.nets = torch.nn.ModuleList(torch.nn.Linear(4, 1) for _ in range(count))
        self.automatic_optimization = False
        self.used = []

    def training_step(self, batch, place):
        optimizers = self.optimizers()
        if len(self.nets) == 1:
            optimizers = [optimizers, optimizers]
        for number, (optimizer, net) in enumerate(zip(optimizers, [*self.nets, self.nets[0]])):
            if number == 0 or len(self.nets) == 1 or place % 2 == 0:
                optimizer.zero_grad()
                self.manual_backward(net(batch[0]).pow(2).mean())
                optimizer.step()

    def on_before_optimizer_step(self, optimizer):
        if optimizer is self.trainer.optimizers[0]:
            self.used.append([])
        self.used[-1].append(optimizer.param_groups[0]["lr"])

    def configure_optimizers(self):
        return [torch.optim.SGD(net.parameters(), lr=0.5) for net in self.nets]


def test_an_update_is_a_step_of_the_first_optimizer(tmp_path):
    from cyclr.lightning import CyclrCallback

    module = Manual(1)
    fit(module, tmp_path, 1, callbacks=[CyclrCallback("linear(lr=1)", updates=16)])
    assert [rate for (rate,) in module.used] == pytest.approx([1 - k / 16 for k in range(16)])

    # The trainer counts the steps of both: 36 are 24 updates of three epochs.
    def run(epochs, **settings):
        module = Manual(2)
        trainer = fit(module, tmp_path, epochs, callbacks=[CyclrCallback("linear(lr=1)", updates=24)], **settings)
        return module.used, trainer

    expected = [[1 - k / 24] * (1 + (k % 2 == 0)) for k in range(24)]
    assert run(3)[0] == [pytest.approx(rates) for rates in expected]
    run(1)[1].save_checkpoint(tmp_path / "third.ckpt")
    assert run(3, ckpt_path=tmp_path / "third.ckpt")[0] == [pytest.approx(rates) for rates in expected[8:]]


def test_the_trainers_max_steps_are_those_of_all_optimizers(tmp_path):
    from cyclr.lightning import CyclrCallback

    class Both(Manual):
        def training_step(self, batch, _):
            super().training_step(batch, 0)

    module = Both(2)
    fit(module, tmp_path, 9, max_steps=20, callbacks=[CyclrCallback("linear(lr=1)")])
    assert module.used == [pytest.approx([1 - k / 10] * 2) for k in range(10)]


def test_it_resumes(tmp_path):
    from cyclr.lightning import CyclrCallback

    trainer = fit(Module(), tmp_path, 2, callbacks=[CyclrCallback(SPEC, updates=32)])
    trainer.save_checkpoint(tmp_path / "half.ckpt")
    module = Module()
    fit(module, tmp_path, 4, ckpt_path=tmp_path / "half.ckpt", callbacks=[CyclrCallback(SPEC)])
    assert module.used == expected(32, 32)[16:]


def test_our_schedulers_are_lightnings_too(tmp_path):
    import cyclr.torch

    class Configured(Module):
        def configure_optimizers(self):
            optimizer = super().configure_optimizers()
            scheduler = cyclr.torch.Schedule(optimizer, SPEC, updates=16)
            return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    module = Configured()
    fit(module, tmp_path, 4, accumulate_grad_batches=2)
    assert module.used == expected(16, 16)


def test_a_group_that_is_added_later_follows_the_spec(tmp_path):
    from cyclr.lightning import CyclrCallback

    class Growing(Module):
        def __init__(self):
            super().__init__()
            self.backbone = torch.nn.Linear(4, 4)
            self.rates = []

        def configure_optimizers(self):
            return torch.optim.SGD(self.net.parameters(), lr=0.5, momentum=0.5)

        def on_before_optimizer_step(self, optimizer):
            self.rates.append([group["lr"] for group in optimizer.param_groups])

    module = Growing()
    thaw = lightning.callbacks.BackboneFinetuning(1, lambda epoch: 1.0)
    with pytest.warns(UserWarning, match=r"a group was added to SGD .* is 0.1 of the first group's"):
        fit(module, tmp_path, 3, callbacks=[CyclrCallback(SPEC), thaw])
    rates = [lr for lr, _ in expected(24, 24)]
    assert module.rates == [[lr] for lr in rates[:8]] + [[lr, pytest.approx(lr * 0.1)] for lr in rates[8:]]


class Endless(IterableDataset):
    def __iter__(self):
        while True:
            yield torch.ones(4)


@pytest.mark.parametrize(
    ("data", "settings"),
    [(TensorDataset(torch.ones(64, 4)), {"max_epochs": -1}), (Endless(), {"max_epochs": 1})],
)
def test_a_run_without_a_length_is_refused(tmp_path, data, settings):
    from cyclr.lightning import CyclrCallback

    trainer = lightning.Trainer(
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
        default_root_dir=tmp_path,
        callbacks=[CyclrCallback(SPEC)],
        max_time={"seconds": 20},
        **settings,
    )
    with pytest.raises(cyclr.CyclrError, match=r"how long is the run.*give updates=…"):
        trainer.fit(Module(), DataLoader(data, batch_size=8))


def test_past_the_end_a_policy_goes_on_or_warns_or_is_refused(tmp_path):
    from cyclr.lightning import CyclrCallback

    module = Module()
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*past the end")
        fit(module, tmp_path, 4, callbacks=[CyclrCallback(SPEC, updates=16)])
    assert module.used == expected(32, 32)
    policy = CyclrCallback("linear(lr=1, end=0.5)", updates=16)
    module = Module()
    with pytest.warns(UserWarning, match="past the end of a schedule of 16 updates"):
        trainer = fit(module, tmp_path, 3, callbacks=[policy])
    assert {lr for lr, _ in module.used[16:]} == {0.5}
    trainer.save_checkpoint(tmp_path / "past.ckpt")
    with pytest.raises(cyclr.CyclrError, match=r"has made 24 updates.*give updates=…"):
        fit(Module(), tmp_path, 4, ckpt_path=tmp_path / "past.ckpt", callbacks=[policy])


def test_updates_that_lightning_does_not_count_are_warned_of(tmp_path):
    from cyclr.lightning import CyclrCallback

    class Manual(Module):
        def __init__(self):
            super().__init__()
            self.automatic_optimization = False

        def training_step(self, batch, _):
            optimizer = self.optimizers(use_pl_optimizer=False)
            optimizer.zero_grad()
            self.net(batch[0]).pow(2).mean().backward()
            optimizer.step()

    with pytest.warns(UserWarning, match="trainer.global_step stays at 0"):
        fit(Manual(), tmp_path, 2, callbacks=[CyclrCallback(SPEC)])
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*trainer.global_step")
        fit(Module(), tmp_path, 2, callbacks=[CyclrCallback(SPEC)], accumulate_grad_batches=2)


def test_another_length_than_the_checkpoints_is_to_be_said(tmp_path):
    from cyclr.lightning import CyclrCallback

    spec = "linear(lr=1)"
    fit(Module(), tmp_path, 2, callbacks=[CyclrCallback(spec)]).save_checkpoint(tmp_path / "one.ckpt")
    message = "a run of 16 updates, and this one has 32: give updates=16 .* or updates=32 to stretch it"
    with pytest.raises(cyclr.CyclrError, match=message):
        fit(Module(), tmp_path, 4, ckpt_path=tmp_path / "one.ckpt", callbacks=[CyclrCallback(spec)])
    module = Module()
    fit(module, tmp_path, 4, ckpt_path=tmp_path / "one.ckpt", callbacks=[CyclrCallback(spec, updates=32)])
    assert [lr for lr, _ in module.used] == [1 - update / 32 for update in range(16, 32)]
    fit(Module(), tmp_path, 2, callbacks=[CyclrCallback(SPEC)]).save_checkpoint(tmp_path / "two.ckpt")
    module = Module()
    fit(module, tmp_path, 4, ckpt_path=tmp_path / "two.ckpt", callbacks=[CyclrCallback(SPEC)])
    assert module.used == expected(32, 32)[16:]


def test_what_a_module_logs_is_reduced_as_lightning_does_it():
    """The oracle is Lightning's own validation."""
    from cyclr._lightning_attach import _measured

    class Logging(Module):
        def validation_step(self, batch, place):
            for reduce in ("mean", "sum", "max", "min", torch.max):
                self.log(f"a {reduce}", batch[0].sum(), reduce_fx=reduce)
            self.log_dict({"b": batch[0].mean()}, batch_size=place + 1)

    loader = DataLoader(TensorDataset(torch.arange(14.0)), batch_size=4)
    trainer = lightning.Trainer(accelerator="cpu", logger=False, enable_progress_bar=False)
    module = Logging()
    [wanted] = trainer.validate(module, loader, verbose=False)
    assert len(wanted) == 6
    for name, value in wanted.items():
        assert _measured(trainer, module, loader, name) == pytest.approx({name: value})


def test_averages_that_no_evaluation_sees_are_named(capfd):
    from cyclr._lightning_attach import Attach, _say_unmeasured

    class Swapping(lightning.Callback):
        def on_validation_start(self, trainer, module):
            pass

    callbacks = lightning.callbacks
    quiet = [Attach(), lightning.Callback(), callbacks.LearningRateMonitor(), callbacks.WeightAveraging()]
    _say_unmeasured([*quiet, Swapping(), callbacks.StochasticWeightAveraging(0.1)])
    said = capfd.readouterr().err.splitlines()
    assert [line.split(" is ")[0] for line in said] == [
        "cyclr: what Swapping does before a validation",
        "cyclr: StochasticWeightAveraging",
    ]
