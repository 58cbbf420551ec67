import os
import subprocess
import sys
from typing import ClassVar

import cyclr
import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
pytest.importorskip("accelerate")

SPEC = "triangular(base=0.01, max=0.1, step=4)"  # The checkpoint at 6 is in the middle of a cycle.


class Noted(torch.optim.SGD):
    used: ClassVar = []

    def step(self, closure=None):
        self.used.append(self.param_groups[0]["lr"])
        return super().step(closure)


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.net = torch.nn.Linear(4, 1)

    def forward(self, x):
        return {"loss": self.net(x).pow(2).mean()}


def trainer(folder, callbacks=(), make_scheduler=None, resume=None, updates=12, **settings):
    from cyclr.hf import scheduler  # noqa: F401

    Noted.used = []
    model = Net()
    optimizer = Noted(model.parameters(), lr=0.5)
    args = transformers.TrainingArguments(
        output_dir=str(folder),
        max_steps=updates,
        per_device_train_batch_size=4,
        use_cpu=True,
        report_to=[],
        save_steps=6,
        logging_steps=4,
        disable_tqdm=True,
        **settings,
    )
    made = transformers.Trainer(
        model=model,
        args=args,
        train_dataset=[{"x": torch.ones(4)} for _ in range(64)],
        callbacks=list(callbacks),
        optimizers=(optimizer, make_scheduler(optimizer, args) if make_scheduler else None),
    )
    made.train(resume_from_checkpoint=resume)
    return made


def expected():
    schedule = cyclr.Schedule(SPEC, updates=12)
    return [schedule.at(i).lr for i in range(12)]


@pytest.mark.parametrize("accumulate", [1, 3])
def test_the_callback_sets_every_update_and_the_logs(tmp_path, accumulate):
    from cyclr.hf import CyclrCallback

    made = trainer(tmp_path, [CyclrCallback(SPEC)], gradient_accumulation_steps=accumulate)
    assert Noted.used == expected()
    logged = [log["learning_rate"] for log in made.state.log_history if "learning_rate" in log]
    assert logged == [expected()[i] for i in (3, 7, 11)]


def test_the_callback_resumes(tmp_path):
    from cyclr.hf import CyclrCallback

    trainer(tmp_path, [CyclrCallback(SPEC)], gradient_accumulation_steps=2)
    checkpoint = str(tmp_path / "checkpoint-6")
    trainer(tmp_path, [CyclrCallback(SPEC)], resume=checkpoint, gradient_accumulation_steps=2)
    assert Noted.used == expected()[6:]


def test_a_group_that_is_added_later_or_made_anew_follows_the_spec():
    """Without a trainer, whose own schedule fails on another number of groups in newer versions of torch."""
    from cyclr.hf import CyclrCallback

    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=0.5)
    callback, state = CyclrCallback(SPEC), transformers.TrainerState(max_steps=12)
    callback.on_train_begin(None, state, None, optimizer=optimizer)
    for state.global_step in range(6):
        callback.on_step_begin(None, state, None, optimizer=optimizer)
    optimizer.add_param_group({"params": [torch.nn.Parameter(torch.ones(1))], "lr": expected()[5] / 4})
    optimizer.load_state_dict(optimizer.state_dict())
    state.global_step = 6
    with pytest.warns(UserWarning, match=r"is 0\.25 of the first group's"):
        callback.on_step_begin(None, state, None, optimizer=optimizer)
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([expected()[6], expected()[6] / 4])


def test_the_factorys_scheduler_is_stepped_saved_and_resumed(tmp_path):
    from cyclr.hf import scheduler

    def make(optimizer, args):
        return scheduler(optimizer, SPEC, args)

    trainer(tmp_path, make_scheduler=make, gradient_accumulation_steps=2)
    assert Noted.used == expected()
    checkpoint = str(tmp_path / "checkpoint-6")
    trainer(tmp_path, make_scheduler=make, resume=checkpoint, gradient_accumulation_steps=2)
    assert Noted.used == expected()[6:]


ACCELERATED = """
import accelerate, cyclr, cyclr.torch, torch

spec = "triangular(base=0.01, max=0.1, step=3)"
accelerator = accelerate.Accelerator(cpu=True, gradient_accumulation_steps=2)
model = torch.nn.Linear(4, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
scheduler = cyclr.torch.Schedule(optimizer, spec, updates=8)
loader = torch.utils.data.DataLoader(torch.ones(128, 4), batch_size=4)
model, optimizer, loader, scheduler = accelerator.prepare(model, optimizer, loader, scheduler)
used = []
for x in loader:
    with accelerator.accumulate(model):
        accelerator.backward(model(x).pow(2).mean())
        if accelerator.sync_gradients:
            used.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
        optimizer.zero_grad()
assert accelerator.num_processes == 2
schedule = cyclr.Schedule(spec, updates=8)
assert used == [schedule.at(update).lr for update in range(8)], used
"""


def test_accelerate_calls_a_scheduler_once_a_process_and_it_counts_updates(tmp_path):
    script = tmp_path / "accelerated.py"
    script.write_text(ACCELERATED)
    # A port that is only looked up may be taken by another process before the first of these listens on it.
    store = torch.distributed.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    meeting = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(store.port), "WORLD_SIZE": "2"}
    meeting["TORCHELASTIC_USE_AGENT_STORE"] = "True"
    processes = [
        subprocess.Popen(
            [sys.executable, str(script)],
            env={**os.environ, **meeting, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    said = [process.communicate(timeout=300)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], "\n".join(said)
