import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest
from driver import Driver

SCRIPTS = pathlib.Path(__file__).parent / "own_loop"
FORKS = """
import os, signal, time
from cyclr._sigterm import Deferred

Deferred()
for _ in range(20):
    child = os.fork()
    if child == 0:
        time.sleep(10)
        os._exit(0)
    os.kill(child, signal.SIGTERM)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGTERM, status
"""


@pytest.fixture
def start(tmp_path, ends_with_test):
    def one(*arguments, script="stopped.py"):
        with (tmp_path / "log").open("w") as log:
            driver = ends_with_test(Driver(SCRIPTS / script, tmp_path, *arguments, log=log))
        driver.initialize()
        return driver

    yield one
    # A worker that lives on is a failure that was seen already.
    for worker in tmp_path.glob("worker"):
        if lives(int(worker.read_text())):
            os.kill(int(worker.read_text()), signal.SIGKILL)


def until(found):
    deadline = time.monotonic() + 60
    while not found():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def lives(pid):
    try:
        # Without a parent that waits for it, a process that has ended may stay as a zombie.
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def stop_amid_an_update(driver, here, fail=False):
    """SIGTERM to all processes while an update is made, as a cluster sends it."""
    driver.updates(3)
    (here / "hold").touch()
    (here / "updating").unlink()
    request = b'{"jsonrpc": "2.0", "id": 99, "method": "updates", "params": {"updates": [{"lr": 0.1}]}}\n'
    driver.sink.write(request)
    driver.sink.flush()
    until((here / "updating").exists)
    main = driver.process.pid
    workers = [int(pid) for pid in pathlib.Path(f"/proc/{main}/task/{main}/children").read_text().split()]
    for pid in (main, *workers):
        os.kill(pid, signal.SIGTERM)
    assert workers
    until(lambda: not any(map(lives, workers)))
    if fail:
        (here / "fail").touch()
    (here / "hold").unlink()


@pytest.mark.parametrize("served", [[], ["--serve"]])
def test_sigterm_waits_until_the_state_is_saved(served, start, tmp_path):
    driver = start("--defer", *served)
    stop_amid_an_update(driver, tmp_path)
    assert b'"id": 99' in driver.source.readline(), "the update is made"
    driver.result("state", path=str(tmp_path / "saved"))
    assert driver.process.wait(timeout=60) == -signal.SIGTERM
    assert (tmp_path / "saved").stat().st_size > 0


def test_workers_of_a_data_loader_may_end_before_it(start, tmp_path):
    pytest.importorskip("torch")
    driver = start(script="with_workers.py")
    stop_amid_an_update(driver, tmp_path)
    assert b'"id": 99' in driver.source.readline(), "the update is made"
    driver.result("state", path=str(tmp_path / "saved"))
    assert driver.process.wait(timeout=60) == -signal.SIGTERM


@pytest.mark.parametrize("served", [[], ["--serve"]])
def test_what_fails_after_it_is_no_failure_of_the_script(served, start, tmp_path):
    driver = start("--defer", *served)
    stop_amid_an_update(driver, tmp_path, fail=True)
    assert driver.process.wait(timeout=60) == -signal.SIGTERM
    assert "there are no more data" in (tmp_path / "log").read_text()


@pytest.mark.parametrize("served", [[], ["--serve"]])
def test_without_being_asked_for_it_ends_the_script_at_once(served, start, tmp_path):
    driver = start(*served)
    stop_amid_an_update(driver, tmp_path)
    assert driver.process.wait(timeout=60) == -signal.SIGTERM
    assert driver.source.readline() == b""


@pytest.mark.parametrize("served", [[], ["--serve"]])
def test_it_does_not_wait_again_once_the_run_goes_on(served, start, tmp_path):
    driver = start("--defer", *served)
    driver.updates(3)
    driver.result("state", path=str(tmp_path / "saved"))
    assert len(driver.updates(3)) == 3, "without a signal, a state that is saved ends nothing"
    assert driver.shutdown() == 0


def test_a_process_that_was_just_forked_ends_by_it():
    subprocess.run([sys.executable, "-c", FORKS], check=True, timeout=60)
