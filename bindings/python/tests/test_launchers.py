"""Scripts behind launchers, under the real command."""

import importlib.util
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

pytest.importorskip("torch")
soak = pytest.mark.skipif("CYCLR_CI_INTEGRATIONS" not in os.environ, reason="CYCLR_CI_INTEGRATIONS is not set")

OWN_LOOP = pathlib.Path(__file__).parent / "own_loop"
PYTHON = sys.executable
TORCHRUN = [PYTHON, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
TRAIN = ["--updates", "30", "--policy", "fixed(lr=0.1)"]


def cyclr(*words, folder):
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [PYTHON, "-m", "cyclr", *words]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_run_is_trained_behind_torchrun(tmp_path):
    """The one that is tested every time; kinds/ has more of torchrun, accelerate and LightningCLI."""
    said = cyclr("train", *TRAIN, "--out", "run", "--", *TORCHRUN, str(OWN_LOOP / "ranks.py"), folder=tmp_path)
    assert "accuracy" in said
    assert "the end" not in (tmp_path / "run" / "output.log").read_text(), "what comes after the loop does not run"


@soak
def test_a_run_is_trained_behind_npm(tmp_path):
    if shutil.which("npm") is None or importlib.util.find_spec("accelerate") is None:
        pytest.skip("npm or accelerate is not installed")
    command = ["npm", "exec", "--offline", "--call", f"{PYTHON} {OWN_LOOP / 'accelerated.py'}"]
    assert "accuracy" in cyclr("train", *TRAIN, "--out", "run", "--", *command, folder=tmp_path)


@soak
def test_a_training_that_is_served_is_trained_behind_torchrun(tmp_path):
    command = [*TORCHRUN, str(OWN_LOOP / "ranks.py"), "--serve"]
    assert "accuracy" in cyclr("train", *TRAIN, "--out", "run", "--", *command, folder=tmp_path)


@soak
def test_two_processes_are_driven_with_no_line_changed(tmp_path):
    command = [*TORCHRUN, "-m", "cyclr", "drive", str(OWN_LOOP / "ranks.py"), "--unaware"]
    assert '"max_lr"' in cyclr("find", "--json", "--budget", "600", "--", *command, folder=tmp_path)
