"""The child's side of cyclr's protocol (docs/protocol.md) in plain Python, for scripts to import.

A script hands `serve` an object with these methods:

    initialize(seed, data_seed, batch) -> dict: examples, batch, validation, test, and what it can do (see FACTS)
    update(lr, momentum, weight_decay) -> list of metrics of its training batch, before the update
    evaluate(split) -> list of metrics, or (list of metrics, list of bools: which examples were correct)
    state(path), restore(path), where it says `snapshots=True`
    average(), evaluate_average(split), where it says `averages=True`
"""

import json
import math
import os
import socket
import traceback

FACTS = {
    **{"validation": 0, "test": 0, "momentum": False, "weight_decay": False},
    **{"snapshots": False, "given_weights": False, "averages": False},
}


def metric(name, value, count, direction="lower", **more):
    value = float(value)
    return {"name": name, "value": value if math.isfinite(value) else None, "count": count, "direction": direction, **more}


def loss(value, count):
    return metric("loss", value, count)


def accuracy(correct, count):
    return metric("accuracy", correct / count, count, "higher", correct=int(correct))


def serve(trainer):
    """Answers cyclr's requests until it says `shutdown`, or goes away."""
    read, write = connect()
    with open(read, encoding="utf-8") as requests, open(write, "w", encoding="utf-8") as answers:
        for line in requests:
            request = json.loads(line)
            answer = {"jsonrpc": "2.0", "id": request["id"]}
            try:
                answer["result"] = call(trainer, request["method"], request["params"])
            except NoSuchMethod as error:
                answer["error"] = {"code": -32601, "message": f"no method {error}"}
            except Exception as error:
                traceback.print_exc()
                answer["error"] = {"code": -32000, "message": f"{type(error).__name__}: {error}"}
            answers.write(json.dumps(answer) + "\n")
            answers.flush()
            if request["method"] == "shutdown":
                return


def connect():
    """The pipes that cyclr made, if they are still open in this process, and else its socket: a launcher may have closed them."""
    read, write = map(int, os.environ["CYCLR_FD"].split(","))
    if os.environ["CYCLR_PIPES"] == f"{identity(read)},{identity(write)}":
        return read, write
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(os.environ["CYCLR_SOCKET"])
        return os.dup(connection.fileno()), os.dup(connection.fileno())


def identity(fd):
    try:
        status = os.fstat(fd)
    except OSError:
        return None
    return f"{status.st_dev}:{status.st_ino}"


class NoSuchMethod(Exception):
    pass


def call(trainer, method, params):
    if method == "initialize":
        return {"protocol": 1, **FACTS, **trainer.initialize(params["seed"], params["data_seed"], params["batch"])}
    if method == "updates":
        made = []
        for update in params["updates"]:
            made.append(trainer.update(update["lr"], update.get("momentum"), update.get("weight_decay")))
            if any(figure["value"] is None for figure in made[-1]):
                break
        return {"metrics": made}
    if method in ("evaluate", "evaluate_average"):
        measured = getattr(trainer, method)(params["split"])
        if isinstance(measured, tuple):
            return {"metrics": measured[0], "correct": "".join("01"[bool(right)] for right in measured[1])}
        return {"metrics": measured}
    if method in ("state", "restore"):
        getattr(trainer, method)(params["path"])
        return {}
    if method == "average":
        trainer.average()
        return {}
    if method == "shutdown":
        return {}
    raise NoSuchMethod(method)
