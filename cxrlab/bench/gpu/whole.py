"""The whole bench: first what holds, then how fast.

In:    a size, a device's name.
Out:   Found.
Never: printing results (told.py).
"""

import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import timm
import torch

from cxrlab.bench.gpu import checks, ground, limits, timing
from cxrlab.bench.gpu.checks import Check
from cxrlab.bench.gpu.ground import Size
from cxrlab.bench.gpu.timing import Row
from cxrlab.errors import CxrlabError
from cxrlab.learning import devices
from cxrlab.learning.efficiency import forget_peak


@dataclass(frozen=True)
class Found:
    """What was found."""

    device: str
    devices: int
    torch: str
    timm: str
    checks: list[Check] = field(default_factory=list)
    times: list[Row] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """Whether no check failed."""
        return all(check.holds is not False for check in self.checks)


def measure(
    size: Size,
    device: str,
    *,
    parts: Sequence[str] = ("check", "time"),
    compiled: bool = False,
    autotune: bool = False,
    say: Callable[[str], None] = lambda line: print(line, file=sys.stderr, flush=True),
) -> Found:
    """Check, then time. A check that breaks counts as failed, and the others go on.

    Args:
        size: how much.
        device: "cuda" or "cpu".
        parts: which of the two.
        compiled: time compiled networks too.
        autotune: let cuDNN try its kernels for ours too; it always may for timm's.
        say: told what is going on.
    """
    place = devices.pick(device)
    on_gpu = place.type == "cuda"
    name = devices.name_of(place)
    found = Found(name, torch.cuda.device_count() if on_gpu else 0, torch.__version__, timm.__version__)
    with ground.lab() as here:
        if "check" in parts:
            for title, attempt in (*checks.all_of(here, place, size), *limits.all_of(here, place, size)):
                say(f"checking {title}")
                found.checks.append(tried(title, attempt))
                devices.release(place)
        if "time" in parts:
            forget_peak(place)
            for row in timing.rows(here, place, size, name, compiled, autotune):
                say(f"timed {row.network}")
                found.times.append(row)
                devices.release(place)
    return found


def tried(title: str, attempt: Callable[[], Check]) -> Check:
    """Return what `attempt` gives; a Check that failed when it breaks, with its traceback on standard error."""
    try:
        return attempt()
    except CxrlabError as error:
        return Check(title, False, str(error))
    except Exception as error:  # noqa: BLE001  # hours of a borrowed machine must not end with one broken check
        traceback.print_exc()
        return Check(title, False, f"{type(error).__name__}: {' '.join(str(error).split())[:300]}")
