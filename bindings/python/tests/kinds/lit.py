"""A Lightning module with `fit`. Lines marked `+` are cyclr's."""

import argparse
import warnings

import lightning.pytorch as pl
import torch
from torch.utils.data import DataLoader, TensorDataset
import cyclr.lightning  # +

warnings.filterwarnings("ignore")
parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int, default=2)
args = parser.parse_args()
torch.set_num_threads(1)
pl.seed_everything(0, verbose=False)
cyclr.torch.begin(seed=0)  # +
inputs = torch.randn(300, 8, generator=torch.Generator().manual_seed(0))
labels = inputs[:, 0].gt(0).long()


class Classifier(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = torch.nn.Linear(8, 2)

    def training_step(self, batch, place):
        return torch.nn.functional.cross_entropy(self.net(batch[0]), batch[1])

    def validation_step(self, batch, place):
        self.log("val_acc", (self.net(batch[0]).argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


trainer = pl.Trainer(
    max_epochs=args.epochs,
    accelerator="cpu",
    logger=False,
    enable_checkpointing=False,
    enable_progress_bar=False,
    enable_model_summary=False,
    callbacks=[cyclr.lightning.Attach(objective=("val_acc", "higher"))],  # +
)
trainer.fit(
    Classifier(),
    DataLoader(TensorDataset(inputs[:200], labels[:200]), batch_size=20, shuffle=True),
    DataLoader(TensorDataset(inputs[200:], labels[200:]), batch_size=50),
)
