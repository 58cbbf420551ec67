"""The command line: ``cyclr`` and ``python -m cyclr``."""

import signal
import sys

from cyclr import _cyclr


def main() -> int:
    """Does what the command line says. Ctrl-C is the command's: it saves and stops."""
    if sys.argv[1:2] == ["drive"]:
        from cyclr.torch._drive import main as drive

        return drive(sys.argv[2:])
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    return _cyclr.run_cli(["cyclr", *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
