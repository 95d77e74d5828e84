"""The optimizers that a spec can name, and how their rate walks."""

from cxrlab.optimizers import (
    adam,
    adamw,
    adan,
    fsam,
    gsam,
    lion,
    looksam,
    mars,
    muon,
    rmsprop,
    sam,
    schedule_free_adamw,
    soap,
    wsam,
)
from cxrlab.optimizers.base import OPTIMIZERS, Driver
from cxrlab.optimizers.schedules import SCHEDULES

__all__ = [
    "OPTIMIZERS",
    "SCHEDULES",
    "Driver",
    "adam",
    "adamw",
    "adan",
    "fsam",
    "gsam",
    "lion",
    "looksam",
    "mars",
    "muon",
    "rmsprop",
    "sam",
    "schedule_free_adamw",
    "soap",
    "wsam",
]
