import os
import pathlib
import signal
import socket
from datetime import timedelta

import pytest
from forked import Forked, Process

torch = pytest.importorskip("torch")
import torch.distributed as dist  # noqa: E402
from cyclr.torch import _together  # noqa: E402

RANKS = pathlib.Path(__file__).parent / "own_loop" / "ranks.py"

pytestmark = pytest.mark.skipif(not dist.is_available(), reason="this torch cannot train in several processes")


@pytest.fixture
def start(tmp_path):
    """Starts two processes as torchrun does; the first of them has the pipes."""
    started = []

    def both(*arguments, drive):
        store = dist.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
        shared = {
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(store.port),
            "WORLD_SIZE": "2",
            "TORCHELASTIC_USE_AGENT_STORE": "True",
        }
        second = {**shared, "RANK": "1", "CYCLR_FD": "98,99"}
        follower = Process([RANKS, *arguments], tmp_path / "log-1", None, drive, second)
        leader = Forked(RANKS, *arguments, log=tmp_path / "log-0", drive=drive, environment={**shared, "RANK": "0"})
        started.append((leader, follower, store))
        return leader, follower

    yield both
    for leader, follower, _store in started:
        for process in (leader.process, follower):
            process.kill()
            process.wait()


def test_all_processes_do_what_the_first_hears(start, tmp_path):
    leader, follower = start(drive=False)
    info = leader.initialize(seed=3)
    assert (info["examples"], info["batch"], info["validation"], info["test"]) == (400, 40, 40, 40)
    assert info["snapshots"] and info["objective"] == {"name": "accuracy", "direction": "higher", "unit": "points"}
    made = leader.updates(13)
    assert made[0][0]["count"] == 40, "the batches of both"
    leader.result("state", path=str(tmp_path / "state"))
    straight = leader.updates(20)
    [accuracy] = leader.result("evaluate", split="validation")["metrics"]
    assert accuracy["count"] == 40 and accuracy["value"] == accuracy["correct"] / 40 > 0.6
    leader.result("restore", path=str(tmp_path / "state"))
    assert leader.updates(20) == straight
    assert leader.shutdown() == 0
    assert follower.wait(timeout=60) == 0

    driven, follower = start("--unaware", drive=True)
    assert driven.initialize(seed=3)["batch"] == 40
    assert driven.updates(13) == made, "hooks see the same"
    assert driven.shutdown() == 0
    assert follower.wait(timeout=60) == 0


def test_a_training_that_is_served_is_in_all_processes(start, tmp_path):
    leader, follower = start("--serve", drive=False)
    info = leader.initialize(seed=3)
    assert (info["examples"], info["batch"]) == (400, 40)
    assert (info["validation"], info["test"]) == (80, 80), "also of a list of batches"
    leader.updates(13)
    leader.result("state", path=str(tmp_path / "state"))
    straight = leader.updates(20)
    measured = leader.result("evaluate", split="test")
    assert len(measured["correct"]) == 80
    assert measured == leader.result("evaluate", split="validation"), "the same examples"
    leader.result("restore", path=str(tmp_path / "state"))
    assert leader.updates(20) == straight
    assert leader.shutdown() == 0
    assert follower.wait(timeout=60) == 0


@pytest.fixture
def apart(tmp_path):
    """Working directories of two processes."""
    for rank in "01":
        (tmp_path / rank).mkdir()
    return ["--apart", tmp_path]


@pytest.mark.parametrize("how", [[], ["--serve"]])
def test_states_are_read_and_written_by_the_first_process_alone(how, start, apart, tmp_path):
    """cyclr removes the file as soon as that one has answered, and another machine has none."""
    leader, follower = start(*how, *apart, drive=False)
    leader.initialize(seed=3)
    leader.updates(13)
    leader.result("state", path="state")
    straight = leader.updates(10)
    leader.result("restore", path="state")
    assert leader.updates(10) == straight
    assert leader.shutdown() == 0
    assert follower.wait(timeout=60) == 0
    assert list((tmp_path / "1").iterdir()) == []


def test_a_state_that_cannot_be_read_is_an_answer(start, apart):
    leader, _follower = start(*apart, drive=False)
    leader.initialize(seed=3)
    assert "No such file" in leader.ask("restore", path="state")["error"]["message"]


def test_a_process_that_fails_alone_does_not_train_on(start, apart, tmp_path):
    leader, follower = start(*apart, drive=False)
    leader.initialize(seed=3)
    leader.updates(13)
    (tmp_path / "1" / "fail").touch()
    leader.result("evaluate", split="validation")
    leader.sink.write(b'{"jsonrpc": "2.0", "id": 99, "method": "updates", "params": {"updates": [{"lr": 0.1}]}}\n')
    leader.sink.flush()
    assert follower.wait(timeout=60) == 1
    assert "they no longer train one model" in (tmp_path / "log-1").read_text()


@pytest.mark.parametrize("how", ["", "--serve"])
def test_sigterm_to_all_processes_waits_until_the_run_is_saved(how, start, tmp_path):
    """The third of the updates: as many as the straight run's are left."""
    arguments = [how, "--defer"] if how else ["--defer"]
    leader, follower = start(*arguments, drive=False)
    leader.initialize(seed=3)
    leader.updates(13)
    for process in (leader.process, follower):
        os.kill(process.pid, signal.SIGTERM)
    made = leader.updates(2)
    leader.result("state", path=str(tmp_path / "state"))
    assert leader.process.wait(timeout=60) == -signal.SIGTERM
    assert follower.wait(timeout=60) == -signal.SIGTERM

    leader, follower = start(*arguments, drive=False)
    leader.initialize(seed=3)
    assert leader.updates(15)[13:] == made
    straight = leader.updates(10)
    leader.result("restore", path=str(tmp_path / "state"))
    assert leader.updates(10) == straight
    assert leader.shutdown() == 0
    assert follower.wait(timeout=60) == 0


def test_a_process_whose_launcher_is_gone_ends(monkeypatch):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        for name, value in {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "RANK": "1"}.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(_together, "_TO_CONNECT", timedelta(seconds=1))
        with pytest.raises(dist.DistError):
            _together._over_store()
