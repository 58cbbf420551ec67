"""Starts a script as torchrun, accelerate launch and conda run do: by subprocess, which closes all descriptors but 0, 1 and 2."""

import subprocess
import sys

sys.exit(subprocess.call([sys.executable, *sys.argv[1:]]))
