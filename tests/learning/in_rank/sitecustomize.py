"""Put on PYTHONPATH, it is imported by every process that trains one run with others, and does there what a test asks.

CXRLAB_IN_RANK holds words: "no-dropout"; "tight:RANK:MEGABYTES", from the first step on that process gets so much memory
more and no further; "writes:FILE", the name of every file that the process opens for writing is noted there.
"""

import os
import sys


def _walks_differently(asked):
    import resource
    from pathlib import Path

    from torch import nn

    from cxrlab import allocator
    from cxrlab.learning import loop

    if any(word == "tight" for word, *_ in asked):
        # What it kept would be memory beyond the limit, more or less by chance.
        allocator.keep_freed = lambda: False
    walk = loop.walk

    def changed(going, *more):
        for word, *given in asked:
            if word == "no-dropout":
                for layer in going.net.modules():
                    if isinstance(layer, nn.Dropout):
                        layer.p = 0.0
            if word == "tight" and going.group.rank == int(given[0]):
                held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
                resource.setrlimit(resource.RLIMIT_AS, (held + int(given[1]) * 2**20, resource.RLIM_INFINITY))
        walk(going, *more)

    loop.walk = changed


def _note_writes(path):
    def hook(event, told):
        if event == "open" and isinstance(told[0], str) and told[2] & (os.O_WRONLY | os.O_RDWR):
            os.write(notes, f"{os.getpid()} {told[0]}\n".encode())

    notes = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    sys.addaudithook(hook)


if "cxrlab.learning.ranks" in sys.orig_argv and os.environ.get("CXRLAB_IN_RANK"):
    asked = [word.split(":") for word in os.environ["CXRLAB_IN_RANK"].split()]
    for word, *given in asked:
        if word == "writes":
            _note_writes(given[0])
    _walks_differently(asked)
