"""What a network descends on: what a form asks, and what each loss goes together with.

In:    nothing.
Out:   CHOICES, a LossChoice a loss; `misfit`, the sentence for a loss that does not go with a run's targets.
Never: torch; the losses themselves (losses/).
"""

from dataclasses import dataclass
from typing import Self

from pydantic import Field, model_validator

from cxrlab.choices import Choice, NoOptions
from cxrlab.registry import Registry
from cxrlab.spec.parts import ADVANCED, Frozen


class FocalOptions(Frozen):
    """Focal loss's."""

    gamma: float = Field(
        2.0,  # Lin 2017, arXiv:1708.02002
        ge=0,
        le=10,
        title="Gamma",
        description="How little an image counts that is predicted well already; 0 is cross-entropy.",
    )
    alpha: float = Field(
        -1.0,  # the paper's 0.25 weighs positives down; 'Weigh positives' is this lab's way to weigh
        ge=-1,
        le=1,
        title="Alpha",
        description="Share of the weight that positives have, 0 to 1; −1: no such weight.",
        json_schema_extra=ADVANCED,
    )

    @model_validator(mode="after")
    def _alpha_is_a_share(self) -> Self:
        if self.alpha < 0 and self.alpha != -1:
            raise ValueError(f"alpha is {self.alpha:g}; it must be from 0 to 1, or −1 for no weight")
        return self


class AsymmetricOptions(Frozen):
    """Asymmetric loss's."""

    # These three: the defaults of the authors' own code and of timm.
    gamma_negative: float = Field(
        4.0,
        ge=0,
        le=10,
        title="Gamma, negatives",
        description="How little a negative counts that is predicted well already.",
    )
    gamma_positive: float = Field(
        1.0,
        ge=0,
        le=10,
        title="Gamma, positives",
        description="The same for positives; smaller, so that they keep their say.",
    )
    shift: float = Field(
        0.05,
        ge=0,
        le=0.5,
        title="Shift",
        description="A negative predicted below this probability costs nothing.",
    )


class AucMarginOptions(Frozen):
    """AUC-margin loss's."""

    margin: float = Field(
        1.0,  # Yuan 2021, arXiv:2012.03173
        gt=0,
        le=1,
        title="Margin",
        description="How far apart the mean probabilities of positives and negatives shall be.",
    )
    memory: float = Field(
        0.9,  # about ten batches; no sweep of ours stands behind it
        ge=0,
        lt=1,
        title="Memory",
        description="Share of the earlier batches in the mean of positives and of negatives; 0: each batch is on its own.",
        json_schema_extra=ADVANCED,
    )


class PairwiseOptions(Frozen):
    """Pairwise squared hinge's."""

    margin: float = Field(
        1.0,
        gt=0,
        le=10,
        title="Margin",
        description="How far a positive's logit shall stand above a negative's.",
    )
    queue: int = Field(
        32,  # short, for scores age with the network; no sweep of ours stands behind it
        ge=0,
        le=1024,
        title="Queue",
        description="Latest scores of positives and of negatives, a label, that the next batches are compared with; 0: none.",
        json_schema_extra={"unit": "scores", **ADVANCED},
    )


class SmoothedOptions(Frozen):
    """Label smoothing's."""

    smoothing: float = Field(
        0.1,  # Szegedy 2016, arXiv:1512.00567, section 7
        ge=0,
        lt=1,
        title="Smoothing",
        description="How far targets move towards 0.5: with 0.1, 0 becomes 0.05 and 1 becomes 0.95.",
    )


@dataclass(frozen=True, kw_only=True)
class LossChoice(Choice):
    """A loss as a form sees it, with what it goes together with."""

    calibrated: (
        bool  # training with a weight w on positives moves logits by exactly log w: scoring takes it off
    )
    soft: bool = True  # takes targets between 0 and 1
    weighs: bool = True  # heeds the weight on positives
    three_way: bool = False  # there is such a loss of three classes
    apart: bool = True  # a batch may come in parts: their losses add up to its own


CHOICES: Registry[LossChoice] = Registry("loss")

_RANKS = "Learns an order, not probabilities: calibration and a threshold of 0.5 mean nothing with it."

for _choice in (
    LossChoice(
        name="bce",
        title="Cross-entropy",
        sentence="Binary cross-entropy of every label, over the images that know it.",
        options=NoOptions,
        calibrated=True,
        three_way=True,
    ),
    LossChoice(
        name="smoothed",
        title="Label smoothing",
        sentence="Cross-entropy with targets a little nearer to 0.5. Szegedy 2016, arXiv:1512.00567.",
        options=SmoothedOptions,
        warn="Probabilities do not reach 0 and 1; it also smooths targets that a policy smoothed already.",
        calibrated=True,
    ),
    LossChoice(
        name="focal",
        title="Focal",
        sentence="Images that are predicted well count less. Lin 2017, arXiv:1708.02002.",
        options=FocalOptions,
        warn="Probabilities are drawn towards 0.5, the more so the larger gamma.",
        calibrated=False,
    ),
    LossChoice(
        name="asymmetric",
        title="Asymmetric",
        sentence="Focal with easy negatives left out, for rare labels. Ridnik 2021, arXiv:2009.14119.",
        options=AsymmetricOptions,
        warn="Probabilities come out too high; 'Weigh positives' corrects rarity a second time.",
        calibrated=False,
    ),
    LossChoice(
        name="auc-margin",
        title="AUC-margin",
        sentence="Pulls the mean scores of positives and negatives apart. Yuan 2021, arXiv:2012.03173.",
        options=AucMarginOptions,
        warn=f"{_RANKS} Its authors start from weights that cross-entropy made.",
        calibrated=False,
        soft=False,
        weighs=False,
        apart=False,
    ),
    LossChoice(
        name="pairwise",
        title="Pairwise squared hinge",
        sentence="Every positive shall stand above every negative. Gao 2015, arXiv:1208.0645.",
        options=PairwiseOptions,
        warn=_RANKS,
        calibrated=False,
        soft=False,
        weighs=False,
        apart=False,
    ),
):
    CHOICES.add(_choice.name)(_choice)


def misfit(name: str, *, three_way: bool, soft: bool) -> str:
    """Return why a loss does not go with a run's targets; "" when it does.

    Args:
        name: one of CHOICES.
        three_way: a label has a class of its own for uncertain evidence ('multiclass').
        soft: a label may have targets between 0 and 1 ('zeros-lsr', 'ones-lsr', 'self-trained').

    >>> misfit("bce", three_way=True, soft=True)
    ''
    >>> misfit("pairwise", three_way=False, soft=True)[:65]
    "the loss 'pairwise' needs targets of 0 and 1, and uncertain label"
    """
    wanted = CHOICES[name]
    if three_way and not wanted.three_way:
        able = ", ".join(repr(other) for other, choice in CHOICES.items() if choice.three_way)
        return (
            f"the loss {name!r} knows positive and negative alone, and uncertain labels are a class of their own here "
            f"('multiclass'); choose the loss {able} or another policy."
        )
    if soft and not wanted.soft:
        return (
            f"the loss {name!r} needs targets of 0 and 1, and uncertain labels become something between here; choose the "
            "policy 'ignore', 'zeros' or 'ones', or the loss 'bce'."
        )
    return ""
