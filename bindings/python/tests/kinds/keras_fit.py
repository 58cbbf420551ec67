"""A Keras model with `fit`, on any backend. Lines marked `+` are cyclr's."""

import keras
import numpy as np
import cyclr.keras  # +

keras.utils.set_random_seed(0)
cyclr.keras.begin(seed=0)  # +
inputs = np.random.default_rng(0).normal(size=(300, 8)).astype("float32")
labels = (inputs[:, 0] > 0).astype("int64")
model = keras.Sequential([keras.layers.Dense(8, "relu"), keras.layers.Dropout(0.1), keras.layers.Dense(2)])
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
model.compile(keras.optimizers.SGD(0.1, momentum=0.9), loss, metrics=["accuracy"])
model.fit(
    inputs[:200],
    labels[:200],
    batch_size=20,
    epochs=2,
    verbose=0,
    validation_data=(inputs[200:], labels[200:]),
    callbacks=[cyclr.keras.Attach(objective=("accuracy", "higher"))],  # +
)
print(model.evaluate(inputs[200:], labels[200:], verbose=0))
