import os

import pytest

# Nets this small gain nothing from threads, and lose much where other work has the cores.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture
def ends_with_test():
    """Takes a driver, and kills its process after the test."""
    drivers = []

    def note(driver):
        drivers.append(driver)
        return driver

    yield note
    for driver in drivers:
        driver.process.kill()
        driver.process.wait()
