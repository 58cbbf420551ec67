import cyclr
import pytest

torch = pytest.importorskip("torch")
lightning = pytest.importorskip("lightning.pytorch")

from torch.utils.data import DataLoader, TensorDataset  # noqa: E402

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
