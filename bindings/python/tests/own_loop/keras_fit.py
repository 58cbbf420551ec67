"""A Keras model, attached."""

import argparse

import cyclr.keras
import keras
import numpy as np

parser = argparse.ArgumentParser()
parser.add_argument("--accumulate", type=int, default=None)
args = parser.parse_args()
cyclr.keras.begin(seed=3)
generator = np.random.default_rng(0)
inputs = generator.normal(size=(260, 8)).astype("float32")
labels = (inputs[:, 0] > 0).astype("int64")


class Note(keras.callbacks.Callback):
    """The losses of the batches, from running means."""

    losses, total = [], 0.0

    def on_epoch_begin(self, epoch, logs=None):
        self.total = 0.0

    def on_train_batch_end(self, batch, logs=None):
        loss = float(logs["loss"]) * (batch + 1) - self.total
        self.total += loss
        self.losses.append(loss)


model = keras.Sequential([keras.layers.Dense(8, "relu"), keras.layers.Dropout(0.1), keras.layers.Dense(2)])
model.compile(
    keras.optimizers.SGD(0.1, momentum=0.9, gradient_accumulation_steps=args.accumulate),
    keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    metrics=["accuracy"],
)
model.fit(
    inputs[:200],
    labels[:200],
    batch_size=20,
    epochs=2,
    verbose=0,
    validation_data=(inputs[200:], labels[200:]),
    callbacks=[cyclr.keras.Attach(objective=("accuracy", "higher")), Note()],
)
print("losses", Note.losses)
