"""The other end of the protocol, as small as can be: what `cyclr` does with a child."""

import json
import os
import subprocess
import sys


class Driver:
    def __init__(self, *command, log):
        (requests, self._to), (self._from, answers) = os.pipe(), os.pipe()
        environment = {**os.environ, "CYCLR_FD": f"{requests},{answers}", "OMP_NUM_THREADS": "1"}
        self.process = subprocess.Popen(
            [sys.executable, *map(str, command)],
            pass_fds=(requests, answers),
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        os.close(requests)
        os.close(answers)
        self.source, self.sink = os.fdopen(self._from, "rb"), os.fdopen(self._to, "wb")
        self._id = 0

    def send(self, line):
        self.sink.write(line + b"\n")
        self.sink.flush()
        return json.loads(self.source.readline())

    def ask(self, method, **params):
        self._id += 1
        request = {"jsonrpc": "2.0", "id": self._id, "method": method, "params": params}
        answer = self.send(json.dumps(request).encode())
        assert answer["jsonrpc"] == "2.0" and answer["id"] == self._id
        return answer

    def result(self, method, **params):
        answer = self.ask(method, **params)
        assert "error" not in answer, answer
        return answer["result"]

    def initialize(self, seed=0, batch=None):
        return self.result("initialize", protocol=1, seed=seed, data_seed=0, batch=batch)

    def updates(self, count, lr=0.1):
        return self.result("updates", updates=[{"lr": lr}] * count)["metrics"]

    def hang_up(self):
        self.sink.close()

    def shutdown(self):
        assert self.result("shutdown") == {}
        code = self.process.wait(timeout=60)
        self.sink.close()
        self.source.close()
        return code
