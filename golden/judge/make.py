"""Makes tables.json: tables of results as other tools write them, and what `cyclr judge` should say of each.

    python3 -m pip install -r requirements.txt && python3 make.py

pandas writes the tables. The tests come from scipy and statsmodels, and the verdicts from the rule that METHOD.md states,
applied to their figures.
"""

import io
import json
import platform
from pathlib import Path

import numpy as np
import pandas as pd
import scipy
import statsmodels
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.weightstats import ttost_ind, ttost_paired


def judged(frame, reference, margin, sign, scale=1.0):
    """The figures of every arm beside the reference, of a frame with the columns arm, seed and value."""
    frame = frame.assign(value=frame["value"] * scale)
    arms = {arm: group.set_index("seed")["value"] for arm, group in frame.groupby("arm", sort=False)}
    whole = {arm: values for arm, values in arms.items() if np.isfinite(values).all()}
    rows = {}
    for arm, values in whole.items() if reference in whole else []:
        if arm == reference:
            continue
        other = whole[reference]
        paired = set(values.index) == set(other.index)
        if paired:
            other = other[values.index]
            test, tost = stats.ttest_rel(values, other), ttost_paired(values.to_numpy(), other.to_numpy(), -margin, margin)
            r = float(stats.pearsonr(values, other).statistic) if len(values) > 2 else None
        else:
            test, r = stats.ttest_ind(values, other, equal_var=False), None
            tost = ttost_ind(values.to_numpy(), other.to_numpy(), -margin, margin, usevar="unequal")
        interval = test.confidence_interval(0.95)
        rows[arm] = {"paired": paired, "n": len(values), "mean": float(values.mean() - other.mean()),
                     "low": float(interval.low), "high": float(interval.high), "df": float(test.df),
                     "p": float(test.pvalue), "tost": float(tost[0]), "r": r}
    for key in ("p", "tost"):
        adjusted = multipletests([row[key] for row in rows.values()], method="holm")[1] if rows else []
        for row, value in zip(rows.values(), adjusted):
            row[f"{key}_holm"] = float(value)
    for row in rows.values():
        if row["p_holm"] < 0.05:
            row["verdict"] = "better" if sign * row["mean"] > 0 else "worse"
        else:
            row["verdict"] = "equivalent" if row["tost_holm"] < 0.05 else "undecided"
    return rows


def runs(rng, arms, seeds, sd, effect=0.0):
    """Values by arm and seed: the seed does the same to every arm."""
    shared = dict(zip(seeds, rng.normal(0, sd, len(seeds))))
    rows = [(arm, seed, mean + effect * shared[seed] + rng.normal(0, sd)) for arm, mean in arms.items() for seed in seeds]
    return pd.DataFrame(rows, columns=["arm", "seed", "value"])


def csv(frame, **options):
    buffer = io.StringIO()
    frame.to_csv(buffer, **options)
    return buffer.getvalue()


def shapes(rng):
    """One table in every shape: the same is said of all."""
    frame = runs(rng, {"fixed": 0.85, "triangular2": 0.862, "linear": 0.871}, [1, 2, 3, 4, 5], 0.004, 1.0)
    frame["value"] = frame["value"].round(4)
    wide = frame.pivot(index="seed", columns="arm", values="value")
    shuffled = frame.sample(frac=1, random_state=3)[["value", "arm", "seed"]]
    renamed = {"arm": "Method", "seed": "random_seed", "value": "test_acc"}
    by_arm = frame.pivot(index="arm", columns="seed", values="value").rename(columns=lambda seed: f"seed_{seed}")
    tidy = pd.concat([frame.assign(metric="accuracy"), frame.assign(metric="loss", value=1 - frame["value"])])
    texts = {
        "long": csv(frame, index=False),
        "shuffled": csv(shuffled),
        "renamed": csv(frame.rename(columns=renamed), index=False),
        "semicolons and decimal commas": csv(frame, index=False, sep=";", decimal=","),
        "tabs, CRLF and a byte order mark": "\ufeff" + csv(frame, index=False, sep="\t", lineterminator="\r\n"),
        "a row a seed": csv(wide),
        "a row an arm": csv(by_arm),
        "a figure a row": csv(tidy, index=False),
        "JSON lines": frame.to_json(orient="records", lines=True),
        "JSON records": frame.to_json(orient="records"),
        "JSON lists": json.dumps(frame.to_dict(orient="list")),
        "JSON of pandas": frame.to_json(),
    }
    return [{"name": name, "text": text, "tasks": {"": judged(frame, "fixed", 0.5, 1, 100.0)},
             "options": {"reference": "fixed", "fraction": True} | ({"metric": "accuracy"} if name == "a figure a row" else {})}
            for name, text in texts.items()]


def others(rng):
    cases = []

    def case(name, frame, reference, margin, sign=1, **options):
        tasks = frame.groupby("task", sort=False) if "task" in frame else [("", frame)]
        expected = {task: judged(group, reference, margin, sign) for task, group in tasks}
        options |= {"reference": reference, "margin": margin, "higher": sign > 0}
        cases.append({"name": name, "text": csv(frame, index=False, na_rep="nan"), "options": options, "tasks": expected})

    frame = runs(rng, {"sgd": 2.31, "adam": 2.12, "lion": 2.30}, list(range(8)), 0.05)
    case("a loss", frame, "sgd", 0.1, -1)
    case("other seeds", frame[(frame["arm"] == "sgd") | (frame["seed"] > 2)], "sgd", 0.1, -1)
    case("a run that diverged", frame.assign(value=frame["value"].where((frame["arm"] != "adam") | (frame["seed"] != 3))),
         "sgd", 0.1, -1)
    case("the reference diverged", frame.assign(value=frame["value"].where((frame["arm"] != "sgd") | (frame["seed"] != 3))),
         "sgd", 0.1, -1)
    case("two seeds", runs(rng, {"a": 70, "b": 75, "c": 70.1}, [11, 12], 0.02, 1.0), "a", 0.5)
    tied = runs(rng, {"a": 70, "b": 70.5, "c": 70}, [1, 2, 3, 4, 5, 6], 0.4)
    case("ties", tied.assign(value=(tied["value"] * 2).round() / 2), "a", 1.0)
    names = runs(rng, {"a, with a comma": 1.0, 'b "quoted"': 1.4, "ü": 0.9}, ["x", "y", "z", "w"], 0.1)
    case("names", names, "a, with a comma", 0.3)
    tasks = [runs(rng, {"mlp": base, "tree": base + shift, "knn": base - 2}, [0, 1, 2, 3, 4], 0.5).assign(task=task)
             for task, base, shift in [("churn", 80, 2), ("adult", 87, 0), ("otto", 70, -1.5)]]
    case("tasks", pd.concat(tasks).sample(frac=1, random_state=1), "mlp", 0.5)
    return cases


def large():
    """A hundred thousand rows by a rule that the test has too: value k of an arm is (7919·k mod 10007)/10007, moved."""
    rows = []
    for arm, (factor, shift) in {"a": (7919, 0.0), "b": (104729, 0.002), "c": (15485863, 0.01), "d": (32452843, 0.0)}.items():
        k = np.arange(25_000)
        rows.append(pd.DataFrame({"arm": arm, "seed": k, "value": (factor * k % 10007) / 10007 + shift}))
    frame = pd.concat(rows)
    return judged(frame, "a", 0.01, 1)


def main():
    rng = np.random.default_rng(20153)
    versions = {"python": platform.python_version(), "numpy": np.__version__, "pandas": pd.__version__,
                "scipy": scipy.__version__, "statsmodels": statsmodels.__version__}
    cases = shapes(rng) + others(rng)
    lines = ",\n".join(json.dumps(case) for case in cases)
    text = f'{{\n"made_by": {json.dumps(versions)},\n"large": {json.dumps(large())},\n"cases": [\n{lines}\n]}}\n'
    Path(__file__).with_name("tables.json").write_text(text)


if __name__ == "__main__":
    main()
