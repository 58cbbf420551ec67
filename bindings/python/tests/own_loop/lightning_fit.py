"""A Lightning module with a scheduler of its own, attached."""

import argparse
import tempfile
import warnings

import cyclr.lightning
import cyclr.torch
import lightning.pytorch as pl
import torch
from torch.utils.data import DataLoader, TensorDataset

warnings.filterwarnings("ignore")
parser = argparse.ArgumentParser()
parser.add_argument("--accumulate", type=int, default=1)
parser.add_argument("--gamma", type=float, default=1.0)
parser.add_argument("--plateau", action="store_true")
parser.add_argument("--one-cycle", action="store_true")
parser.add_argument("--cyclic-momentum", action="store_true")
parser.add_argument("--averaged", choices=("callback", "module"))
parser.add_argument("--leaky", action="store_true")
args = parser.parse_args()
torch.set_num_threads(1)
cyclr.torch.begin(seed=3)
inputs = torch.randn(260, 8, generator=torch.Generator().manual_seed(0))
labels = inputs[:, 0].gt(0).long()
losses, measured = [], []


class Module(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.layers = torch.nn.Sequential(torch.nn.Linear(8, 8), torch.nn.Dropout(0.1), torch.nn.Linear(8, 2))
        self.average = torch.optim.swa_utils.AveragedModel(self.layers)

    def training_step(self, batch, place):
        loss = torch.nn.functional.cross_entropy(self.layers(batch[0]), batch[1])
        self.log("train_loss", loss)
        losses.append(loss.item())
        return loss

    def on_train_batch_end(self, outputs, batch, place):
        if args.averaged == "module":
            self.average.update_parameters(self.layers)

    def on_validation_epoch_start(self):
        self.right = []
        measured.append(0.0)

    def validation_step(self, batch, place):
        outputs = (self.average if args.averaged == "module" else self.layers)(batch[0])
        loss = torch.nn.functional.cross_entropy(outputs, batch[1])
        measured[-1] += loss.item() * len(batch[1])
        self.log("val_loss", loss)
        self.right += (outputs.argmax(1) == batch[1]).tolist()

    def on_validation_epoch_end(self):
        self.log("val_acc", sum(self.right) / len(self.right))

    def configure_optimizers(self):
        optimizer = torch.optim.SGD(self.layers.parameters(), lr=0.1, momentum=0.5 * args.cyclic_momentum)
        if args.cyclic_momentum:
            return [optimizer], [torch.optim.lr_scheduler.CyclicLR(optimizer, 0.1, 0.2)]
        if args.plateau:
            plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer)
            return {"optimizer": optimizer, "lr_scheduler": plateau, "monitor": "val_loss"}
        if args.one_cycle:
            updates = self.trainer.estimated_stepping_batches
            return [optimizer], [torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, updates, cycle_momentum=False)]
        return [optimizer], [torch.optim.lr_scheduler.StepLR(optimizer, 1, gamma=args.gamma)]


callbacks = [cyclr.lightning.Attach(objective=("val_acc", "higher"))]
if args.averaged == "callback":
    callbacks.append(pl.callbacks.WeightAveraging())
trainer = pl.Trainer(
    max_epochs=2,
    accelerator="cpu",
    accumulate_grad_batches=args.accumulate,
    default_root_dir=tempfile.mkdtemp(),
    logger=False,
    enable_progress_bar=False,
    enable_checkpointing=True,
    num_sanity_val_steps=0,
    enable_model_summary=False,
    callbacks=callbacks,
)
held_out = slice(200) if args.leaky else slice(200, None)
trainer.fit(
    Module(),
    DataLoader(TensorDataset(inputs[:200], labels[:200]), batch_size=20, shuffle=True),
    DataLoader(TensorDataset(inputs[held_out], labels[held_out]), batch_size=25),
)
print("losses", losses)
print("measured", [total / 60 for total in measured])
