"""Scripts as children of a process that has imported torch already: what takes seconds is done once for all tests."""

import atexit
import io
import multiprocessing
import os
import runpy
import subprocess
import sys
import time

from driver import Driver

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["torch._dynamo", "cyclr.torch._drive", "cyclr.data", "numpy"])


class Forked(Driver):
    """A script behind two pipes, as a `Driver` has it; ``drive`` puts `cyclr drive` before it, ``environment`` adds to it."""

    def __init__(self, *command, log, drive=False, environment=None):
        folder = os.path.dirname(log)
        pipes = [os.path.join(folder, f"pipe-{os.urandom(4).hex()}") for _ in range(2)]
        for pipe in pipes:
            os.mkfifo(pipe)
        self.process = Process(command, log, pipes, drive, environment)
        self.sink = os.fdopen(_opened(pipes[0], self.process), "wb")
        self.source = open(pipes[1], "rb")  # noqa: SIM115
        self._id = 0


def _opened(pipe, process):
    """A pipe to write to, as soon as the process reads from it."""
    while process.poll() is None:
        try:
            fd = os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
        except OSError:
            time.sleep(0.01)
            continue
        os.set_blocking(fd, True)
        return fd
    raise AssertionError(f"the script ended ({process.poll()}) before it read a request")


def alone(*command, log, environment=None):
    """What a script prints that nobody drives."""
    assert Process(command, log, None, False, environment).wait(timeout=120) == 0
    return open(log).read()


class Process:
    """A process with the names that those of subprocess have."""

    def __init__(self, *arguments):
        command = [str(word) for word in arguments[0]]
        self._process = _context.Process(target=_run, args=(command, *map(_plain, arguments[1:])))
        self._process.start()

    def kill(self):
        self._process.kill()

    @property
    def pid(self):
        return self._process.pid

    def poll(self):
        return self._process.exitcode

    def wait(self, timeout=None):
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired("script", timeout)
        return self._process.exitcode


def _plain(value):
    return str(value) if isinstance(value, os.PathLike) else value


def _run(command, log, pipes, drive, environment):
    os.environ.update(environment or {})
    fd = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(fd, 1), os.dup2(fd, 2)
    sys.stdout, sys.stderr = (io.TextIOWrapper(io.FileIO(fd, "w", closefd=False), write_through=True) for fd in (1, 2))
    if pipes is not None:
        source, sink = os.open(pipes[0], os.O_RDONLY), os.open(pipes[1], os.O_WRONLY)
        os.environ["CYCLR_FD"] = f"{source},{sink}"
    if drive:
        from cyclr.torch._drive import main

        main(command)
    else:
        sys.argv = command
        sys.path[0] = os.path.dirname(command[0])
        runpy.run_path(command[0], run_name="__main__")
    # A process of this kind ends without them.
    atexit._run_exitfuncs()
