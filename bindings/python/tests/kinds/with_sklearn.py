"""scikit-learn's partial_fit. Lines marked `+` are cyclr's."""

import numpy as np
from sklearn.linear_model import SGDClassifier
from sklearn.metrics import log_loss
import cyclr  # +

seed = 0
seed = cyclr.begin(seed=0).seed % 2**32  # +
generator = np.random.default_rng(0)
inputs = generator.normal(size=(600, 8))
labels = (inputs[:, 0] + 0.5 * generator.normal(size=600) > 0).astype(int)
order = np.random.default_rng(seed)
model = SGDClassifier(loss="log_loss", learning_rate="constant", eta0=0.1, random_state=seed)
model.partial_fit(inputs[:1], labels[:1], classes=[0, 1])
halves = {"validation": slice(400, 500), "test": slice(500, 600)}


def correct(part):
    return int((model.predict(inputs[part]) == labels[part]).sum())


epochs = range(2)
lr = cyclr.attach(lambda value: model.set_params(eta0=max(value, 1e-12)), examples=400, batch=20,  # +
    evaluate=lambda split: {"correct": correct(halves[split])}, validation=100, test=100, objective=("accuracy", "higher"))  # +
epochs = lr.epochs(2)  # +
for epoch in epochs:
    for places in order.permutation(400).reshape(20, 20):
        x, y = inputs[places], labels[places]
        loss = log_loss(y, model.predict_proba(x), labels=[0, 1])
        model.partial_fit(x, y)
        lr.step(loss=loss)  # +
print(correct(halves["test"]))
