"""A classifier of LightningCLI. Lines marked `+` are cyclr's."""

import warnings

import lightning.pytorch as pl
import torch
from lightning.pytorch.cli import LightningCLI
from torch.utils.data import DataLoader, TensorDataset
import cyclr.lightning  # +

warnings.filterwarnings("ignore")
torch.set_num_threads(1)
seed = 0
seed = cyclr.torch.begin(seed=0).seed % 2**32  # +
inputs = torch.randn(300, 8, generator=torch.Generator().manual_seed(0))
labels = inputs[:, 0].gt(0).long()


class Classifier(pl.LightningModule):
    def __init__(self, width: int = 8):
        super().__init__()
        self.layers = torch.nn.Sequential(torch.nn.Linear(8, width), torch.nn.ReLU(), torch.nn.Linear(width, 2))

    def training_step(self, batch, place):
        return torch.nn.functional.cross_entropy(self.layers(batch[0]), batch[1])

    def validation_step(self, batch, place):
        self.log("val_acc", (self.layers(batch[0]).argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


class Data(pl.LightningDataModule):
    def train_dataloader(self):
        return DataLoader(TensorDataset(inputs[:200], labels[:200]), batch_size=20, shuffle=True)

    def val_dataloader(self):
        return DataLoader(TensorDataset(inputs[200:], labels[200:]), batch_size=50)


LightningCLI(
    Classifier,
    Data,
    seed_everything_default=seed,
    save_config_callback=None,
    trainer_defaults={
        "max_epochs": 2,
        "accelerator": "cpu",
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "callbacks": [cyclr.lightning.Attach(objective=("val_acc", "higher"))],  # +
    },
)
