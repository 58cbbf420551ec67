"""A Keras model, attached."""

import argparse

import cyclr.keras
import keras
import numpy as np

parser = argparse.ArgumentParser()
parser.add_argument("--accumulate", type=int, default=None)
parser.add_argument("--schedule", type=float)
parser.add_argument("--scaled", action="store_true")
parser.add_argument("--split", action="store_true")
parser.add_argument("--leaky", action="store_true")
parser.add_argument("--overflow", action="store_true")
args = parser.parse_args()
cyclr.keras.begin(seed=3)
generator = np.random.default_rng(0)
inputs = generator.normal(size=(260, 8)).astype("float32")
labels = (inputs[:, 0] > 0).astype("int64")


class Note(keras.callbacks.Callback):
    """The losses of the batches, from running means."""

    losses, iterations, total = [], [], 0.0

    def on_epoch_begin(self, epoch, logs=None):
        self.total = 0.0

    def on_train_batch_end(self, batch, logs=None):
        loss = float(logs["loss"]) * (batch + 1) - self.total
        self.total += loss
        self.losses.append(loss)
        if keras.backend.backend() == "jax":
            self.model.jax_state_sync()
        self.iterations.append(int(self.model.optimizer.iterations))


model = keras.Sequential([keras.layers.Dense(8, "relu"), keras.layers.Dropout(0.1), keras.layers.Dense(2)])
optimizer = keras.optimizers.SGD(
    1e-4 if args.overflow else 0.1, momentum=0.9, gradient_accumulation_steps=args.accumulate
)
callbacks = [cyclr.keras.Attach(objective=("accuracy", "higher")), Note()]
if args.schedule:
    callbacks.append(keras.callbacks.LearningRateScheduler(lambda epoch, lr: args.schedule))
# The first gradients overflow; the scale is halved until they do not.
scale = 2.0**127 if args.overflow else 2.0**15
if args.overflow:
    inputs *= 64
model.compile(
    keras.optimizers.LossScaleOptimizer(optimizer, initial_scale=scale) if args.scaled else optimizer,
    keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    metrics=["accuracy"],
)
train = inputs[:200], labels[:200]
held_out = train if args.leaky else (inputs[200:], labels[200:])
model.fit(
    *train,
    batch_size=20,
    epochs=2,
    verbose=0,
    validation_data=None if args.split else held_out,
    validation_split=0.2 if args.split else 0.0,
    callbacks=callbacks,
)
print("losses", Note.losses)
print("iterations", Note.iterations)
