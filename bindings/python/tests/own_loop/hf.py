"""A Hugging Face trainer with a tiny net of random weights, attached."""

import argparse
import tempfile

import cyclr.hf
import cyclr.torch
import torch
from transformers import EarlyStoppingCallback, Trainer, TrainingArguments

parser = argparse.ArgumentParser()
parser.add_argument("--accumulate", type=int, default=1)
parser.add_argument("--epochs", type=int, default=1)
parser.add_argument("--log", action="store_true")
parser.add_argument("--stopping", action="store_true")
parser.add_argument("--leaky", action="store_true")
args = parser.parse_args()
torch.set_num_threads(1)
cyclr.torch.begin(seed=3)
inputs = torch.randn(260, 8, generator=torch.Generator().manual_seed(0))
data = [{"x": x, "labels": (x[0] > 0).long()} for x in inputs]


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = torch.nn.Sequential(torch.nn.Linear(8, 8), torch.nn.Dropout(0.1), torch.nn.Linear(8, 2))

    def forward(self, x, labels):
        out = self.layers(x)
        return {"loss": torch.nn.functional.cross_entropy(out, labels), "logits": out}


train = data[:200]
trainer = Trainer(
    Net(),
    TrainingArguments(
        tempfile.mkdtemp(),
        seed=3,
        per_device_train_batch_size=20,
        gradient_accumulation_steps=args.accumulate,
        learning_rate=0.01,
        lr_scheduler_type="constant",
        num_train_epochs=args.epochs,
        report_to=[],
        logging_steps=1 if args.log else 1000,
        disable_tqdm=True,
        use_cpu=True,
        load_best_model_at_end=args.stopping,
        eval_strategy="epoch" if args.stopping else "no",
        save_strategy="epoch" if args.stopping else "no",
    ),
    callbacks=[EarlyStoppingCallback(1)] if args.stopping else [],
    train_dataset=train,
    eval_dataset=train if args.leaky else data[200:],
    compute_metrics=lambda p: {"accuracy": float((p.predictions.argmax(1) == p.label_ids).mean())},
)
cyclr.hf.attach(trainer, objective=("accuracy", "higher"))
trainer.train()
if args.log:
    print("losses", [entry["loss"] for entry in trainer.state.log_history if "loss" in entry])
