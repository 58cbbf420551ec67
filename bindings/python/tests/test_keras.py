import importlib.util
import os
import pathlib
import subprocess
import sys

import pytest
from driver import Driver

if importlib.util.find_spec("keras") is None:
    pytest.skip("keras is not installed", allow_module_level=True)

SCRIPT = """
import sys, warnings, numpy as np, keras, cyclr
from cyclr.keras import CyclrCallback

class Noted(keras.callbacks.Callback):
    used = []
    def on_train_batch_end(self, batch, logs=None):
        if keras.backend.backend() == "jax":
            self.model.jax_state_sync()
        self.used.append(float(self.model.optimizer.learning_rate))

spec = "triangular(base=0.01, max=0.1, step=5)"
model = keras.Sequential([keras.layers.Dense(1)])
model.compile(optimizer=keras.optimizers.SGD(0.5), loss="mse")
x, y = np.ones((64, 4), "float32"), np.ones((64, 1), "float32")
fit = dict(batch_size=8, verbose=0)
model.fit(x, y, epochs=2, callbacks=[CyclrCallback(spec, updates=32), Noted()], **fit)
# Goes on where the optimizer is, in the middle of a cycle.
model.save(sys.argv[1])
model = keras.models.load_model(sys.argv[1])
model.fit(x, y, epochs=4, initial_epoch=2, callbacks=[CyclrCallback(spec), Noted()], **fit)
expected = cyclr.Schedule(spec, updates=32).curve()
assert np.allclose(Noted.used, expected, rtol=1e-6), (Noted.used, expected)

# The rates are used, and not only shown: plain gradient descent by hand.
model = keras.Sequential([keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")])
model.compile(optimizer=keras.optimizers.SGD(0.5), loss="mse")
model.fit(np.ones((8, 1)), np.ones((8, 1)), epochs=6, callbacks=[CyclrCallback(spec)], **fit)
weight = 0.0
for lr in expected[:6]:
    weight -= lr * 2 * (weight - 1)
assert np.allclose(model.get_weights()[0], weight, rtol=1e-5)

# Under accumulation it counts updates: the two batches of each have its rate.
Noted.used.clear()
model = keras.Sequential([keras.layers.Dense(1)])
model.compile(optimizer=keras.optimizers.SGD(0.5, gradient_accumulation_steps=2), loss="mse")
model.fit(x, y, epochs=4, callbacks=[CyclrCallback("linear(lr=1)"), Noted()], **fit)
halved = np.repeat(cyclr.Schedule("linear(lr=1)", updates=16).curve(), 2)
assert np.allclose(Noted.used, halved, rtol=1e-6), (Noted.used, halved)

if keras.backend.backend() == "jax":
    model.compile(optimizer=keras.optimizers.SGD(0.5), loss="mse", steps_per_execution=2)
    try:
        model.fit(x, y, callbacks=[CyclrCallback(spec)], **fit)
    except cyclr.CyclrError as error:
        assert "steps_per_execution = 2" in str(error)
    else:
        raise AssertionError

model = keras.Sequential([keras.layers.Dense(1)])
model.compile(optimizer=keras.optimizers.SGD(0.5), loss="mse")
try:
    model.fit(x[:, :1], y, callbacks=[CyclrCallback(spec[:-1] + ", momentum=0.8..0.9)")], **fit)
except cyclr.CyclrError as error:
    assert "momentum" in str(error)
else:
    raise AssertionError
# A second fit, where the optimizer's count goes on: what does not depend on the length of the run goes on too.
def twice(spec, fits, **settings):
    Noted.used.clear()
    model = keras.Sequential([keras.layers.Dense(1)])
    model.compile(optimizer=keras.optimizers.SGD(0.5), loss="mse")
    policy = CyclrCallback(spec, **settings)
    for one in fits:
        model.fit(x, y, callbacks=[policy, Noted()], **one, **fit)
    return Noted.used

used = twice(spec, [{"epochs": 1}, {"epochs": 2}])
assert np.allclose(used, expected[:24], rtol=1e-6), used
used = twice("linear(lr=1)", [{"epochs": 1}, {"epochs": 2}], updates=24)
assert np.allclose(used, cyclr.Schedule("linear(lr=1)", updates=24).curve(), rtol=1e-6), used
used = twice("fixed(lr=1) for 50% then fixed(lr=0.5)", [{"epochs": 1}, {"epochs": 2, "initial_epoch": 1}], updates=16)
assert np.allclose(used, [1.0] * 8 + [0.5] * 8, rtol=1e-6), used
for fits in [[{"epochs": 1}, {"epochs": 1}], [{"epochs": 1}, {"epochs": 4}]]:
    try:
        twice("linear(lr=1)", fits)
    except cyclr.CyclrError as error:
        assert "has made 8 updates" in str(error) and "give updates=" in str(error), error
        assert len(Noted.used) == 8
    else:
        raise AssertionError
with warnings.catch_warnings(record=True) as told:
    warnings.simplefilter("always")
    used = twice("linear(lr=1, end=0.5)", [{"epochs": 2}], updates=8)
assert used[8:] == [0.5] * 8
assert len([one for one in told if "past the end of a schedule of 8 updates" in str(one.message)]) == 1, told
print("fine")
"""


@pytest.mark.parametrize("backend", ["torch", "jax"])
def test_every_update_uses_the_schedule(backend, tmp_path):
    pytest.importorskip(backend)
    script = pathlib.Path(tmp_path / "script.py")
    script.write_text(SCRIPT)
    environment = {**os.environ, "KERAS_BACKEND": backend}
    command = [sys.executable, str(script), str(tmp_path / "model.keras")]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.stdout == "fine\n", done.stderr


AVERAGED = """
import numpy as np, keras, cyclr.keras

cyclr.keras.begin()
model = keras.Sequential([keras.layers.Dense(1)])
model.compile(keras.optimizers.SGD(0.1, use_ema=True), loss="mse")
x = np.ones((4, 1))
model.fit(x, x, callbacks=[cyclr.keras.Attach()], verbose=0)
"""


def test_an_average_that_is_not_measured_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    script = tmp_path / "averaged.py"
    script.write_text(AVERAGED)
    with (tmp_path / "log").open("w") as log:
        driver = Driver(script, log=log)
        driver.initialize()
        assert driver.shutdown() == 0
    assert "use_ema: what is measured are the weights" in (tmp_path / "log").read_text()


WEIGHTED = """
import numpy as np, keras
from cyclr.keras import Attach

model = keras.Sequential([keras.layers.Dense(1, use_bias=False, kernel_initializer="ones")])
model.compile(loss="mse")
x, y, weights = np.array([[1.0], [2.0]]), np.array([[0.0], [0.0]]), np.array([1.5, 0.5])
attach = Attach()
attach.set_model(model)
assert attach._measured((x, y)) == {"loss": 2.5}
assert attach._measured((x, y, weights)) == {"loss": 1.75}
"""


def test_an_evaluation_has_the_weights_of_its_examples():
    environment = {**os.environ, "KERAS_BACKEND": "torch"}
    done = subprocess.run([sys.executable, "-c", WEIGHTED], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
