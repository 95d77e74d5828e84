"""A process that keeps what it frees takes no page twice; faults are counted, not timed."""

import subprocess
import sys

import pytest

from cxrlab import allocator

glibc = pytest.mark.skipif(allocator._libc() is None, reason="not glibc")
MB = 2**20
# As a training step or an image does: blocks of several sizes, all freed, and again.
STEPS = """
import resource, sys
import numpy as np
from cxrlab import allocator

def step():
    held = [np.ones(n * 2**20, np.uint8) for n in (3, 40, 1, 90, 12)]

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize()

if sys.argv[1] == "keeps":
    assert allocator.keep_freed()
step(), step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    step()
print((resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) // 10)
print(resident())
allocator.give_back()
print(resident())
"""


def after(how):
    """Return page faults a step; bytes resident afterwards, and after giving back."""
    done = subprocess.run(
        [sys.executable, "-c", STEPS, how], capture_output=True, text=True, check=True, timeout=60
    )
    return [int(line) for line in done.stdout.split()]


@glibc
def test_what_is_kept_is_not_taken_anew():
    # Transparent huge pages make one fault of 512, so the plain number differs by machine; none may remain.
    plain, keeps = after("plain"), after("keeps")
    assert keeps[0] < 100 and keeps[0] < plain[0] / 5


@glibc
def test_kept_memory_can_be_given_back():
    _, held, left = after("keeps")
    assert held > left + 100 * MB


@glibc
def test_an_old_library_that_refuses_large_blocks_keeps_smaller_ones(monkeypatch):
    asked = []

    class Old:
        def mallopt(self, option, value):
            asked.append((option, value))
            return int(option != allocator._MMAP_THRESHOLD or value <= allocator._OLD_MOST)

    monkeypatch.setattr(allocator, "_libc", Old)
    assert allocator.keep_freed(2**30)
    assert asked[-2:] == [(allocator._MMAP_THRESHOLD, 32 * MB), (allocator._TRIM_THRESHOLD, 2**30)]


def test_elsewhere_nothing_happens(monkeypatch):
    monkeypatch.setattr(allocator, "_libc", lambda: None)
    assert not allocator.keep_freed()
    allocator.give_back()
