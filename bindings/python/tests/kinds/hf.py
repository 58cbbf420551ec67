"""A Hugging Face trainer with a tiny BERT of random weights. Lines marked `+` are cyclr's."""

import argparse
import tempfile

import torch
from transformers import BertConfig, BertForSequenceClassification, Trainer, TrainingArguments
import cyclr.hf  # +

parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int, default=1)
args = parser.parse_args()
torch.manual_seed(0)
torch.set_num_threads(1)
cyclr.torch.begin(seed=0)  # +
tokens = torch.randint(5, 90, (300, 8), generator=torch.Generator().manual_seed(0))
data = [{"input_ids": row, "labels": int(row[0] > 45)} for row in tokens]
sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
settings = TrainingArguments(
    tempfile.mkdtemp(),
    per_device_train_batch_size=10,
    gradient_accumulation_steps=2,
    num_train_epochs=args.epochs,
    report_to=[],
    disable_tqdm=True,
    use_cpu=True,
)
trainer = Trainer(
    BertForSequenceClassification(BertConfig(vocab_size=90, **sizes)),
    settings,
    train_dataset=data[:200],
    eval_dataset=data[200:],
    compute_metrics=lambda p: {"accuracy": (p.predictions.argmax(1) == p.label_ids).mean()},
)
cyclr.hf.attach(trainer, objective=("accuracy", "higher"))  # +
trainer.train()
print(trainer.evaluate())
