import os
import pathlib
import signal
import time

import pytest
from driver import Driver

STOPPED = pathlib.Path(__file__).parent / "own_loop" / "stopped.py"


@pytest.fixture
def start(tmp_path):
    started = []

    def one(*arguments):
        with (tmp_path / "log").open("w") as log:
            started.append(Driver(STOPPED, tmp_path, *arguments, log=log))
        started[-1].initialize()
        return started[-1]

    yield one
    for driver in started:
        driver.process.kill()
        driver.process.wait()
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


def stop_amid_an_update(driver, here):
    """SIGTERM to all processes while an update is made, as a cluster sends it."""
    driver.updates(3)
    (here / "hold").touch()
    (here / "updating").unlink()
    request = b'{"jsonrpc": "2.0", "id": 99, "method": "updates", "params": {"updates": [{"lr": 0.1}]}}\n'
    driver.sink.write(request)
    driver.sink.flush()
    until((here / "updating").exists)
    worker = int((here / "worker").read_text())
    for pid in (driver.process.pid, worker):
        os.kill(pid, signal.SIGTERM)
    until(lambda: not lives(worker))
    (here / "hold").unlink()


def test_sigterm_waits_until_the_state_is_saved(start, tmp_path):
    driver = start("--defer")
    stop_amid_an_update(driver, tmp_path)
    assert b'"id": 99' in driver.source.readline(), "the update is made"
    driver.result("state", path=str(tmp_path / "saved"))
    assert driver.process.wait(timeout=60) == -signal.SIGTERM
    assert (tmp_path / "saved").stat().st_size > 0


def test_without_being_asked_for_it_ends_the_script_at_once(start, tmp_path):
    driver = start()
    stop_amid_an_update(driver, tmp_path)
    assert driver.process.wait(timeout=60) == -signal.SIGTERM
    assert driver.source.readline() == b""


def test_it_does_not_wait_again_once_the_run_goes_on(start, tmp_path):
    driver = start("--defer")
    driver.updates(3)
    driver.result("state", path=str(tmp_path / "saved"))
    assert len(driver.updates(3)) == 3, "without a signal, a state that is saved ends nothing"
    assert driver.shutdown() == 0
