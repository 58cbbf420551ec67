"""Each kind of script under the real command: to bounds, and through an interrupt to a verdict and a report."""

import importlib.util
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest
from kinds import count

KINDS = pathlib.Path(count.__file__).parent
PAGE = pathlib.Path(__file__).parents[3] / "docs" / "frameworks.md"
TORCHRUN = ["-m", "torch.distributed.run", "--nproc-per-node", "2"]
ACCELERATE = ["-m", "accelerate.commands.launch", "--cpu", "--num_processes", "1"]
# What each needs, what stands before the script and after it, and its environment. The first is tested every time.
SCRIPTS = {
    "pytorch.py": ("torch", [], [], {}),
    "ranks.py": ("torch", TORCHRUN, [], {}),
    "many.py": ("torch", [], [], {}),
    "two_optimizers.py": ("torch", [], [], {}),
    "accelerated.py": ("accelerate", ACCELERATE, [], {}),
    "hf.py": ("transformers", [], [], {}),
    "lit.py": ("lightning", [], [], {}),
    "lit_cli.py": ("typeshed_client", [], ["fit"], {}),
    "keras_fit.py": ("keras", [], [], {"KERAS_BACKEND": "jax"}),
    "keras_fit.py, torch": ("keras", [], [], {"KERAS_BACKEND": "torch"}),
    "with_optax.py": ("optax", [], [], {}),
    "with_sklearn.py": ("sklearn", [], [], {}),
}
ALWAYS = "pytorch.py"
STUDY = """
title = "Two arms"

[[comparison]]
name = "arms"
updates = 40
seeds = [1, 2, 3]
reference = "fixed"
margin = 5

[[comparison.arm]]
label = "fixed"
policy = "fixed(lr=0.02)"
tuned = false

[[comparison.arm]]
label = "triangular2"
policy = "triangular2(base=0.01, max=0.1, step=10)"
tuned = false
"""


def test_the_table_of_lines_is_that_of_the_docs():
    assert count.table() in PAGE.read_text()


@pytest.mark.parametrize("name", SCRIPTS)
def test_bounds_are_found_and_an_interrupted_comparison_comes_to_a_verdict(tmp_path, name):
    needed, before, after, more = SCRIPTS[name]
    if importlib.util.find_spec(needed) is None:
        pytest.skip(f"{needed} is not installed")
    if name != ALWAYS and "CYCLR_CI_INTEGRATIONS" not in os.environ:
        pytest.skip("CYCLR_CI_INTEGRATIONS is not set")
    script = KINDS / name.split(",")[0]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", **more}
    attached = [sys.executable, *before, str(script), *after]
    cyclr = [sys.executable, "-m", "cyclr"]

    def run(*words):
        done = subprocess.run([*cyclr, *words], capture_output=True, text=True, cwd=tmp_path, env=environment)
        assert done.returncode == 0, done.stderr
        return done.stdout

    sought = attached
    if script.name in count.DRIVEN:
        (tmp_path / script.name).write_text(count.without_cyclr(script.read_text()))
        drive = before[:] if "-m" in before else []
        sought = [sys.executable, *drive, "-m", "cyclr", "drive", "--epochs-argument=--epochs", script.name]
    assert '"max_lr"' in run("find", "--json", "--budget", "400", "--", *sought)

    (tmp_path / "study.toml").write_text(STUDY)
    command = [*cyclr, "compare", "--study", "study.toml", "--out", "c", "--", *attached]
    comparison = subprocess.Popen(command, cwd=tmp_path, env=environment)
    while not list((tmp_path / "c").rglob("result.json")) and comparison.poll() is None:
        time.sleep(0.02)
    comparison.send_signal(signal.SIGINT)
    assert comparison.wait(timeout=120) == 130
    said = run("resume", "c")
    assert "triangular2" in said and "n = 3" in said
    assert (tmp_path / "c" / "report.html").exists()
