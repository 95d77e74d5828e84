"""How the learning rate walks over a training: what a form asks.

In:    nothing.
Out:   CHOICES, an options model a schedule.
Never: torch; the curves themselves (optimizers/schedules.py).
"""

from pydantic import Field

from cxrlab.choices import Choice
from cxrlab.registry import Registry
from cxrlab.spec.parts import Frozen

CHOICES: Registry[Choice] = Registry("schedule")


class WarmUp(Frozen):
    """Every schedule may begin with a linear rise."""

    warm_up: float = Field(
        0.05,  # what this lab's runs have always had; knowledge: about 5 % for schedule-free as well
        ge=0,
        le=0.5,
        title="Warm-up",
        description="Share of all steps over which the rate rises in a straight line to its peak.",
    )


class CosineOptions(WarmUp):
    """Half a cosine."""

    floor: float = Field(
        0.01,  # what this lab's runs have always had
        ge=0,
        le=1,
        title="Last rate",
        description="Share of the peak at which the cosine ends.",
    )


class StepOptions(WarmUp):
    """Equal stairs."""

    drops: int = Field(
        2,  # He 2016, arXiv:1512.03385: divided by ten at each third of the training
        ge=1,
        le=20,
        title="Drops",
        description="How many times the rate drops, evenly over the training.",
    )
    factor: float = Field(
        0.1,  # He 2016, arXiv:1512.03385
        gt=0,
        lt=1,
        title="Factor",
        description="What the rate is multiplied by at each drop.",
    )


class PlateauOptions(WarmUp):
    """Stairs that wait for a standstill."""

    factor: float = Field(
        0.1,  # torch.optim.lr_scheduler.ReduceLROnPlateau's default
        gt=0,
        lt=1,
        title="Factor",
        description="What the rate is multiplied by at each standstill.",
    )
    wait: int = Field(
        2,  # below the default patience of early stopping (5), or the run would end before the rate falls
        ge=0,
        le=100,
        title="Wait",
        description="Epochs without a better validation value that are borne before the rate falls.",
        json_schema_extra={"unit": "epochs"},
    )
    threshold: float = Field(
        1e-4,  # ReduceLROnPlateau's default, relative
        ge=0,
        lt=1,
        title="Threshold",
        description="A value is better when it beats the best one by this share of it.",
    )
    floor: float = Field(
        1e-4,  # four drops by ten; nothing is learned below
        ge=0,
        le=1,
        title="Lowest rate",
        description="Share of the peak below which the rate does not fall.",
    )


class ConstantOptions(WarmUp):
    """A flat line."""


for _choice in (
    Choice(
        "cosine", "Cosine", "Falls smoothly to the last rate at the planned end of training.", CosineOptions
    ),
    Choice("step", "Step", "Drops by a factor a few times, evenly over the training.", StepOptions),
    Choice(
        "plateau",
        "Plateau",
        "Drops by a factor when the validation value has stood still.",
        PlateauOptions,
        warn="'Wait' must be shorter than the patience of early stopping, or the run ends before the rate falls.",
    ),
    Choice(
        "none",
        "Constant",
        "Stays at the peak after the warm-up; what schedule-free optimizers need.",
        ConstantOptions,
    ),
):
    CHOICES.add(_choice.name)(_choice)
