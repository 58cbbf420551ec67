"""Validates the records of a run's folder against the schemas, and prints how many there were.

Usage: validate_records.py SCHEMAS FOLDER
"""

import json
import pathlib
import sys

from jsonschema import Draft202012Validator

schemas, folder = map(pathlib.Path, sys.argv[1:])
records = [
    ("run", (folder / "run.json").read_text()),
    ("result", (folder / "result.json").read_text()),
    *(("event", line) for line in (folder / "events.jsonl").read_text().splitlines()),
]
validators = {}
for name in {name for name, _ in records}:
    schema = json.loads((schemas / f"{name}.json").read_text())
    Draft202012Validator.check_schema(schema)
    validators[name] = Draft202012Validator(schema)
for name, record in records:
    validators[name].validate(json.loads(record))
print(len(records))
