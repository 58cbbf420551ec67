import json
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import cyclr

CYCLR = shutil.which("cyclr", path=str(pathlib.Path(sys.executable).parent))


def run(*arguments):
    return subprocess.run([CYCLR, *arguments], capture_output=True, text=True)


def test_the_command_line_is_on_the_path():
    done = run("schedule", "triangular(base=0.1, max=1, step=2)", "--updates", "4", "--json")
    assert done.returncode == 0
    assert "1" in done.stdout and json.loads(done.stdout.splitlines()[0])
    module = subprocess.run([sys.executable, "-m", "cyclr", "--version"], capture_output=True, text=True)
    assert module.returncode == 0 and cyclr.__version__ in module.stdout


def test_bad_usage_ends_with_its_code():
    done = run("schedule", "triangular(base=1)", "--updates", "4")
    assert done.returncode == 2 and "needs `max`" in done.stderr


def test_ctrl_c_saves_and_stops_and_the_run_goes_on(tmp_path):
    out = tmp_path / "run"
    command = [CYCLR, "train", "--policy", "fixed(lr=0.01)", "--epochs", "60", "--out", str(out)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    log = out / "events.jsonl"
    while not (log.exists() and log.stat().st_size > 0):
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 130, told
    assert "resume" in told
