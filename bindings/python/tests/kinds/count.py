"""Counts the lines that each kind of script needs for `find` and for `compare`: the table of docs/frameworks.md."""

import pathlib

HERE = pathlib.Path(__file__).parent
MARK = "# +"
DRIVEN = {
    "pytorch.py": "PyTorch, argparse, StepLR",
    "many.py": "AMP, accumulation, `torch.compile`, EMA",
    "ranks.py": "two processes under `torchrun`",
    "two_optimizers.py": "two optimizers (a GAN)",
    "accelerated.py": "accelerate",
    "hf.py": "Hugging Face `Trainer`",
    "lit.py": "Lightning",
}
"""Scripts that `cyclr drive` finds bounds with as they are."""
ATTACHED = {
    "lit_cli.py": "LightningCLI",
    "keras_fit.py": "Keras 3",
    "with_optax.py": "JAX and optax",
    "with_sklearn.py": "scikit-learn",
}
"""Scripts that have their lines for `find` too."""


def without_cyclr(script: str) -> str:
    """The script as it was, without the lines that are marked."""
    kept = [line for line in script.splitlines(keepends=True) if MARK not in line]
    assert not any("cyclr" in line for line in kept[1:]), "a line of cyclr's is not marked"
    return "".join(kept)


def table() -> str:
    """A row for each kind."""
    rows = ["| script | lines added for `find` | for `compare` | lines removed |", "|---|---|---|---|"]
    for name, what in {**DRIVEN, **ATTACHED}.items():
        script = (HERE / name).read_text()
        added = sum(MARK in line for line in script.splitlines())
        removed = len(script.splitlines()) - added - len(without_cyclr(script).splitlines())
        rows.append(f"| {what} | {0 if name in DRIVEN else added} | {added} | {removed} |")
    rows.append("| a program that can't be touched | not possible | 0 | 0 |")
    return "\n".join(rows)


if __name__ == "__main__":
    print(table())
