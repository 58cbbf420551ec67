"""The average of the predictions of a model's snapshots, beside plain sums over copies of the model."""

import copy

import pytest

torch = pytest.importorskip("torch")

import cyclr  # noqa: E402
import cyclr.torch  # noqa: E402
from cyclr import Hyper  # noqa: E402


def trainer(seed=0, loss=torch.nn.functional.cross_entropy, **more):
    torch.manual_seed(seed)
    model = torch.nn.Sequential(
        torch.nn.Conv2d(1, 4, 3),
        torch.nn.BatchNorm2d(4),
        torch.nn.ReLU(),
        torch.nn.Dropout(0.3),
        torch.nn.Flatten(),
        torch.nn.Linear(144, 3),
    )
    data = torch.utils.data.TensorDataset(torch.randn(90, 1, 8, 8), torch.randint(3, (90,)))
    held_out = torch.utils.data.DataLoader(data, batch_size=32)
    loader = torch.utils.data.DataLoader(data, batch_size=16, shuffle=True)
    optimizer = torch.optim.SGD(model.parameters(), lr=1, momentum=0.9)
    return cyclr.torch.Trainer(model, optimizer, loss, loader, validation=held_out, test=held_out, **more)


def losses(run, count):
    return [metrics[0].value for metrics in run.updates([Hyper(0.05)] * count)]


def test_it_is_the_mean_of_the_probabilities_of_the_last_models():
    run, models = trainer(), []
    for count in (3, 8, 5):
        losses(run, count)
        run.average(ensemble=2)
        models.append(copy.deepcopy(run.model).eval())
    inputs, targets = run.held_out["validation"].dataset.tensors
    with torch.no_grad():
        mean = sum(torch.softmax(model(inputs), 1) for model in models[1:]) / 2
    found = {metric.name: metric.value for metric in run.evaluate_average("validation").metrics}
    expected = -torch.log(mean[torch.arange(90), targets]).mean().item()
    assert found["loss"] == pytest.approx(expected, rel=1e-5)
    assert found["accuracy"] == pytest.approx((mean.argmax(1) == targets).float().mean().item())


def test_it_leaves_no_trace_in_the_training():
    run, plain = trainer(), trainer()
    torch.manual_seed(1)
    expected = losses(plain, 20)
    torch.manual_seed(1)
    found = []
    for count in (4, 3, 6, 7):
        found += losses(run, count)
        run.average(ensemble=3)
        run.evaluate_average("validation")
    assert found == expected


def test_a_state_holds_it():
    run, again = trainer(), trainer()
    losses(again, 3)
    for _ in range(3):
        losses(run, 4)
        run.average(ensemble=2)
    again.restore(run.state())
    assert again.evaluate_average("validation") == run.evaluate_average("validation")
    for one in (run, again):
        torch.manual_seed(2)
        losses(one, 4)
        one.average(ensemble=2)
    assert again.evaluate_average("validation") == run.evaluate_average("validation")


def test_only_scores_of_classes_are_averaged_and_in_one_way():
    assert trainer().info.ensembles and trainer(loss=torch.nn.CrossEntropyLoss()).info.ensembles
    assert not trainer(loss=torch.nn.MSELoss()).info.ensembles
    assert not trainer(evaluate=lambda split: {"loss": 1.0}).info.ensembles
    run = trainer()
    run.average()
    with pytest.raises(cyclr.CyclrError, match="not both"):
        run.average(ensemble=2)


def test_a_run_under_cyclr_is_tested_by_its_ensemble():
    outcome = cyclr.train(
        lambda run: trainer(run.seed), "triangular(base=0.01, max=0.1, step=5)", updates=40, average="ensemble(2)"
    )
    assert [done for done, _ in outcome.averages] == [10, 20, 30, 40]
    assert outcome.test.metrics == outcome.averages[-1][1].metrics
    assert outcome.test.metrics != outcome.evaluations[-1][1].metrics
