import os

# Nets this small gain nothing from threads, and lose much where other work has the cores.
os.environ.setdefault("OMP_NUM_THREADS", "1")
