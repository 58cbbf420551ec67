#!/usr/bin/env bash
# Builds and installs the package in an environment of its own (.venv) and tests it there.
#
# torch is installed unless the python3 in use has it, or CYCLR_CI_WITHOUT_TORCH=1 says not to: what needs it is skipped
# then. What needs Lightning, transformers or Keras is tested where those are installed (CYCLR_CI_INTEGRATIONS=1 does it).
set -euo pipefail
cd "$(dirname "$0")"
export CARGO_TERM_COLOR=never PIP_DISABLE_PIP_VERSION_CHECK=1

cargo fmt --check
cargo clippy --locked --all-targets -- -D warnings

python3 -m venv .venv
# Before other installations are in sight, in which they may be too, without their commands.
.venv/bin/pip install --quiet ruff mypy
if python3 -c 'import torch' 2>/dev/null; then
  # An installation that is there already is used as it is.
  inside=$(.venv/bin/python -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])')
  python3 -c 'import site; print(*site.getsitepackages(), sep="\n")' >"$inside/outside.pth"
elif [ -z "${CYCLR_CI_WITHOUT_TORCH:-}" ]; then
  .venv/bin/pip install --quiet torch
else
  echo 'torch is not installed: what needs it is skipped'
fi
if [ -n "${CYCLR_CI_INTEGRATIONS:-}" ]; then
  .venv/bin/pip install --quiet lightning 'jsonargparse[signatures]' transformers accelerate keras jax scikit-learn
fi
.venv/bin/pip install --quiet '.[test]'
.venv/bin/ruff check --quiet .
.venv/bin/ruff format --quiet --check .
.venv/bin/mypy --no-error-summary
.venv/bin/python -m pytest --quiet
