"""JAX and optax. Lines marked `+` are cyclr's."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import cyclr  # +

seed = 0
seed = cyclr.begin(seed=0).seed % 2**32  # +
inputs = np.random.default_rng(0).normal(size=(600, 8)).astype("float32")
labels = (inputs[:, 0] > 0).astype("int32")
order = np.random.default_rng(seed)
weights = 0.1 * jax.random.normal(jax.random.key(seed), (8, 2))
optimizer = optax.inject_hyperparams(optax.sgd)(0.1, momentum=0.9)
state = {"optimizer": optimizer.init(weights), "weights": weights}


def loss_of(weights, x, y):
    return optax.softmax_cross_entropy_with_integer_labels(x @ weights, y).mean()


@jax.jit
def update(weights, optimizer_state, x, y):
    loss, gradient = jax.value_and_grad(loss_of)(weights, x, y)
    updates, optimizer_state = optimizer.update(gradient, optimizer_state)
    return loss, optax.apply_updates(weights, updates), optimizer_state


def correct(part):
    return int((jnp.argmax(inputs[part] @ state["weights"], axis=1) == labels[part]).sum())


halves = {"validation": slice(400, 500), "test": slice(500, 600)}
lr = cyclr.attach(lambda value: state["optimizer"].hyperparams.update(learning_rate=value), examples=400, batch=20,  # +
    evaluate=lambda split: {"correct": correct(halves[split])}, validation=100, test=100, objective=("accuracy", "higher"))  # +
epochs = range(2)
epochs = lr.epochs(2)  # +
for epoch in epochs:
    for places in order.permutation(400).reshape(20, 20):
        x, y = inputs[places], labels[places]
        loss, state["weights"], state["optimizer"] = update(state["weights"], state["optimizer"], x, y)
        lr.step(loss=loss)  # +
print(correct(halves["test"]))
