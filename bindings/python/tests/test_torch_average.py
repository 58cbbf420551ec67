"""The average of the weights, beside torch's own."""

import copy

import pytest

torch = pytest.importorskip("torch")

import cyclr  # noqa: E402
import cyclr.torch  # noqa: E402
from cyclr import Hyper  # noqa: E402


def trainer(seed=0, dropout=0.0, **more):
    torch.manual_seed(seed)
    model = torch.nn.Sequential(
        torch.nn.Conv2d(1, 4, 3),
        torch.nn.BatchNorm2d(4),
        torch.nn.ReLU(),
        torch.nn.Dropout(dropout),
        torch.nn.Conv2d(4, 4, 3),
        torch.nn.BatchNorm2d(4, momentum=0.3),
        torch.nn.Flatten(),
        torch.nn.Linear(64, 3),
    )
    data = torch.utils.data.TensorDataset(torch.randn(90, 1, 8, 8), torch.randint(3, (90,)))
    held_out = torch.utils.data.DataLoader(data, batch_size=32)
    loader = torch.utils.data.DataLoader(data, batch_size=16, shuffle=True, **more)
    optimizer = torch.optim.SGD(model.parameters(), lr=1, momentum=0.9)
    loss = torch.nn.functional.cross_entropy
    return cyclr.torch.Trainer(model, optimizer, loss, loader, validation=held_out)


def losses(run, count):
    return [metrics[0].value for metrics in run.updates([Hyper(0.05)] * count)]


def test_it_is_torchs_average_with_torchs_norm_statistics():
    run = trainer()
    theirs = torch.optim.swa_utils.AveragedModel(run.model)
    for count in (3, 8, 5):
        losses(run, count)
        run.average()
        theirs.update_parameters(run.model)
    # The same order of batches for both, as batches are weighed alike and the last is short.
    torch.manual_seed(5)
    torch.optim.swa_utils.update_bn(run.loader, theirs)
    torch.manual_seed(5)
    seen = {}

    def evaluate(split):
        seen.update(copy.deepcopy(run.model.state_dict()))
        return {"loss": 0.0}

    run.own_evaluate = evaluate
    before = copy.deepcopy(run.model.state_dict())
    run.evaluate_average("validation")
    for name, value in theirs.module.state_dict().items():
        torch.testing.assert_close(seen[name], value, rtol=1e-5, atol=1e-6)
    for name, value in run.model.state_dict().items():
        assert torch.equal(value, before[name]), name
    assert [module.momentum for module in run.model if hasattr(module, "momentum")] == [0.1, 0.3]


@pytest.mark.parametrize("workers", [{}, {"num_workers": 1, "persistent_workers": True}])
def test_it_leaves_no_trace_in_the_training(workers):
    run, plain = trainer(dropout=0.3, **workers), trainer(dropout=0.3, **workers)
    torch.manual_seed(1)
    expected = losses(plain, 20)
    torch.manual_seed(1)
    found = []
    for count in (4, 3, 6, 7):
        found += losses(run, count)
        run.average()
        run.evaluate_average("validation")
    assert found == expected


def test_a_state_holds_it():
    run, again = trainer(dropout=0.3), trainer(dropout=0.3)
    for _ in range(2):
        losses(run, 4)
        run.average()
    measured = run.evaluate_average("validation")
    state = run.state()

    def go_on(run):
        first = run.evaluate_average("validation")
        made = losses(run, 5)
        run.average()
        return first, made, run.evaluate_average("validation")

    straight = go_on(run)
    again.restore(state)
    assert straight[0] == measured
    assert go_on(again) == straight


def test_what_cannot_be_averaged_is_said():
    run = trainer()
    assert run.info.averages
    with pytest.raises(cyclr.CyclrError, match="no weights have been averaged"):
        run.evaluate_average("validation")
    model = torch.nn.BatchNorm1d(2)
    optimizer = torch.optim.SGD(model.parameters(), lr=1)
    loader = [(torch.zeros(4, 2), torch.zeros(4))]
    own = cyclr.torch.Trainer(model, optimizer, None, loader, step=lambda batch: {"loss": 0.0})
    assert not own.info.averages
