#!/usr/bin/env bash
# Builds and installs the package in an environment of its own (.venv) and tests it there.
#
# What needs torch is tested where torch can be imported: CYCLR_CI_TORCH=1 installs it; without that it is there only if
# the python3 in use has it already. What needs Lightning, transformers or Keras is tested where those are installed
# (CYCLR_CI_INTEGRATIONS=1 installs them).
set -euo pipefail
cd "$(dirname "$0")"
export CARGO_TERM_COLOR=never PIP_DISABLE_PIP_VERSION_CHECK=1

cargo fmt --check
cargo clippy --locked --all-targets -- -D warnings

python3 -m venv --clear .venv
if [ "$(python3 -c 'import importlib.util as u; print(bool(u.find_spec("torch")))')" = True ]; then
  python3 -c 'import site, sysconfig; print(sysconfig.get_paths()["purelib"])' >.venv/outside
  mv .venv/outside "$(.venv/bin/python -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])')/outside.pth"
elif [ -n "${CYCLR_CI_TORCH:-}" ]; then
  .venv/bin/pip install --quiet torch
else
  echo 'torch is not installed: what needs it is skipped (CYCLR_CI_TORCH=1 installs it)'
fi
if [ -n "${CYCLR_CI_INTEGRATIONS:-}" ]; then
  .venv/bin/pip install --quiet lightning transformers keras
fi
.venv/bin/pip install --quiet '.[test]' ruff mypy
.venv/bin/ruff check --quiet .
.venv/bin/ruff format --quiet --check .
.venv/bin/mypy
.venv/bin/python -m pytest --quiet
