import os
import pathlib
import subprocess
import sys

import pytest

pytest.importorskip("torch")
EXAMPLES = pathlib.Path(__file__).parents[1] / "examples"


def test_the_walkthrough_runs():
    environment = {**os.environ, "CYCLR_QUICK": "1", "MPLBACKEND": "agg"}
    script = [sys.executable, str(EXAMPLES / "walkthrough.py")]
    done = subprocess.run(script, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    assert "base_lr = " in done.stdout and "triangular2  beside fixed: " in done.stdout
