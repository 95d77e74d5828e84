"""Which images an epoch shows how often: what a form asks.

In:    nothing.
Out:   CHOICES, an options model a way of sampling.
Never: torch; the drawing itself (sampling.py).
"""

from pydantic import Field

from cxrlab.choices import Choice, NoOptions
from cxrlab.registry import Registry
from cxrlab.spec.parts import Frozen

CHOICES: Registry[Choice] = Registry("way of sampling")


class BalancedOptions(Frozen):
    """Balanced sampling's."""

    most: float = Field(
        10.0,  # as the largest weight of positives: beyond it a handful of images is learnt by heart
        ge=1,
        le=1000,
        title="Most repeats",
        description="How often an epoch may show one image, on average.",
    )


for _choice in (
    Choice("plain", "Plain", "Every image once an epoch, in random order.", NoOptions),
    Choice(
        "balanced",
        "Class-balanced",
        "Rare findings and images without a finding are drawn equally often, with replacement; an epoch stays as long.",
        BalancedOptions,
        warn="Probabilities become those of the balanced mix, and 'Weigh positives' corrects rarity a second time.",
    ),
):
    CHOICES.add(_choice.name)(_choice)
