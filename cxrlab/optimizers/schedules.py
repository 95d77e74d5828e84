"""The learning rate of a step, from nothing but where the training stands.

In:    options, the peak, the step, how many there are, the validation values of the epochs so far.
Out:   SCHEDULES; a rate.
Never: torch, an optimizer; a state of its own, so that a resumed run needs none.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cxrlab.choices.schedules import (
    CHOICES,
    ConstantOptions,
    CosineOptions,
    PlateauOptions,
    StepOptions,
    WarmUp,
)
from cxrlab.registry import Registry
from cxrlab.spec.parts import Frozen

Share = Callable[[Any, float, Sequence[float], bool], float]


@dataclass(frozen=True)
class Schedule:
    """One schedule; what a form knows of it is CHOICES of the same name."""

    name: str
    share: Share

    def rate(
        self,
        options: Frozen | Mapping[str, Any] | None,
        peak: float,
        step: int,
        of: int,
        values: Sequence[float] = (),
        lower_is_better: bool = False,
    ) -> float:
        """Return the rate of `step`.

        Args:
            options: of this schedule; None are the defaults.
            peak: the learning rate that the warm-up ends at.
            step: from 0.
            of: how many steps are planned in all.
            values: the validation value of every epoch that has ended; NaN is no better than any.
            lower_is_better: whether a small value is a good one.

        Raises:
            BadSpec: the options are not this schedule's.

        >>> [round(SCHEDULES["cosine"].rate(None, 1.0, step, 100), 2) for step in (0, 4, 5, 52, 99)]
        [0.2, 1.0, 1.0, 0.51, 0.01]
        """
        read = CHOICES[self.name].read(options)
        rise = _warm_up_steps(read, of)
        if step < rise:
            # A plateau during the warm-up does not end the warm-up.
            return peak * (step + 1) / rise
        return peak * self.share(read, (step - rise) / max(1, of - rise), values, lower_is_better)


def _warm_up_steps(options: WarmUp, of: int) -> int:
    return max(1, round(of * options.warm_up)) if options.warm_up > 0 else 0


SCHEDULES: Registry[Schedule] = Registry("schedule")


def _schedule(name: str) -> Callable[[Share], Share]:
    def register(share: Share) -> Share:
        SCHEDULES.add(name)(Schedule(name, share))
        return share

    return register


@_schedule("cosine")
def cosine(options: CosineOptions, along: float, values: Sequence[float], lower_is_better: bool) -> float:
    """Return the share of the peak: half a cosine from 1 to options.floor. Loshchilov 2017, arXiv:1608.03983."""
    floor = options.floor
    return floor + (1 - floor) * (1 + math.cos(math.pi * along)) / 2


@_schedule("step")
def stairs(options: StepOptions, along: float, values: Sequence[float], lower_is_better: bool) -> float:
    """Return the share of the peak: options.drops equal stairs down. He 2016, arXiv:1512.03385."""
    # A third of the way must be a third, whatever division made of it.
    return options.factor ** min(options.drops, int(along * (options.drops + 1) + 1e-9))


@_schedule("plateau")
def plateau(options: PlateauOptions, along: float, values: Sequence[float], lower_is_better: bool) -> float:
    """Return the share of the peak: a stair down whenever more than options.wait epochs in a row brought nothing better.

    As torch.optim.lr_scheduler.ReduceLROnPlateau with a relative threshold, walked anew from the first value.
    """
    best, bad, drops = math.inf if lower_is_better else -math.inf, 0, 0
    for value in values:
        margin = options.threshold if math.isfinite(best) else 0.0
        better = value < best * (1 - margin) if lower_is_better else value > best * (1 + margin)
        best, bad = (value, 0) if better else (best, bad + 1)
        if bad > options.wait:
            drops, bad = drops + 1, 0
    return max(options.floor, options.factor**drops)


@_schedule("none")
def constant(options: ConstantOptions, along: float, values: Sequence[float], lower_is_better: bool) -> float:
    """Return 1."""
    return 1.0
