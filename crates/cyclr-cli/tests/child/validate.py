"""Holds recorded messages (tee.py) against docs/schema/protocol.json: `validate.py SCHEMA FILE…` prints how many it held.

Each message is also held with one required field less, which the schema must refuse.
"""

import copy
import json
import sys

import jsonschema

schema = json.load(open(sys.argv[1]))
validators = {
    name: jsonschema.Draft202012Validator({**part, "$defs": schema["$defs"]}) for name, part in schema["properties"].items()
}
held = 0
for path in sys.argv[2:]:
    for line in open(path, encoding="utf-8"):
        message = json.loads(line[2:])
        if line.startswith("> "):
            kind, method = "request", message["method"]
        else:
            kind = method
        validators[kind].validate(message)
        held += 1
        where = message["params"] if kind == "request" else message["result"]
        for field in where:
            optional = (("evaluate", "correct"), ("evaluate_average", "correct"), ("initialize", "objective"), ("initialize", "averages"), *(("request", name) for name in ("batch", "updates", "folder")))
            if (kind, field) in optional and not (message.get("method") == "updates"):
                continue
            less = copy.deepcopy(message)
            del less["params" if kind == "request" else "result"][field]
            assert not validators[kind].is_valid(less), f"{kind} is valid without {field}"
print(held)
