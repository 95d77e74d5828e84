"""Named ways to train: what a form asks, and which fields of a run each sets.

In:    nothing.
Out:   CHOICES, a StrategyChoice a strategy; `applied`, fields with a strategy's own put in; `why_not`.
Never: torch; what a strategy does with rows and weights (learning/).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pydantic import Field

from cxrlab.choices import Choice
from cxrlab.registry import Registry
from cxrlab.spec.parts import Frozen

if TYPE_CHECKING:
    from cxrlab.spec.kinds import TrainSpec


class MocoOptions(Frozen):
    """Momentum contrast; strategy.moco_options."""

    temperature: float = Field(
        0.2,  # Chen 2020, arXiv:2003.04297 (MoCo v2)
        gt=0,
        le=2,
        title="Temperature",
        description="Divides similarities; smaller looks harder at the nearest negatives.",
    )
    momentum: float = Field(
        0.999,  # He 2020, arXiv:1911.05722
        ge=0,
        lt=1,
        title="Momentum",
        description="How slowly the second encoder follows; it follows faster over the first 1/(1 - momentum) steps. "
        "0.99 for a few thousand images.",
    )
    queue: int = Field(
        16_384,  # Sowrirajan 2021, arXiv:2010.05352 (MoCo-CXR), kept 65 536 of CheXpert's 224 316 images
        ge=16,
        le=1_000_000,
        title="Queue",
        description="Remembered images that a view is held against; never more than there are training images.",
        json_schema_extra={"unit": "images"},
    )
    projected: int = Field(
        128,  # He 2020, arXiv:1911.05722
        ge=8,
        le=4096,
        title="Projected units",
        description="Width of what is compared; the projection is thrown away afterwards.",
    )


@dataclass(frozen=True, kw_only=True)
class StrategyChoice(Choice):
    """A strategy as a form sees it."""

    # Of a TrainSpec, nested as there.
    fields: Mapping[str, Any] = field(default_factory=dict)
    asks: tuple[str, ...] = ()  # dotted fields that only a person can fill in
    homes: int = 1  # it needs at least so many home sites
    start: str = ""  # which run strategy.start_from is to name, in words; "": it starts anew


CHOICES: Registry[StrategyChoice] = Registry("strategy")
_TUNED = {"learning_rate": 1e-4}  # a tenth of the rate from random weights: what was learnt is to be kept


def _add(name: str, title: str, sentence: str, **more: Any) -> None:
    CHOICES.add(name)(StrategyChoice(name=name, title=title, sentence=sentence, **more))


_add(
    "one-site",
    "One site",
    "Train at home from the start, score everywhere: what the others are held against.",
)
_add(
    "budget",
    "Label budget",
    "Train on so many of home's images, whole patients; a smaller budget is part of a larger one.",
    fields={"strategy": {"images": 500}},
    asks=("strategy.images",),
)
_add("mixed", "Mixed sites", "Several homes in one training set, one head for all.", homes=2)
_add(
    "mixture",
    "Mixture",
    "So many images, a share from each home; sweep the shares to see what a few images of the other hospital bring.",
    fields={"strategy": {"images": 500}},
    asks=("strategy.images", "strategy.shares"),
    homes=2,
)
_add(
    "mixed-heads",
    "Mixed sites, a head each",
    "One encoder, a head for each home; elsewhere the mean logit of the heads that learnt the label.",
    fields={"strategy": {"heads": "by-site"}},
    homes=2,
)
_add(
    "heads-apart",
    "Heads fine-tuned apart",
    "The encoder of a mixed run stays as it is; each home's head goes on at its own site.",
    fields={"strategy": {"heads": "by-site", "layers": "head"}},
    asks=("strategy.start_from",),
    homes=2,
    start="a run over the same homes",
)
_add(
    "fine-tune",
    "Fine-tune all layers",
    "Go on from a finished run at another site, with a tenth of the learning rate.",
    fields={"strategy": {"layers": "all"}, "training": _TUNED},
    asks=("strategy.start_from",),
    start="a run of another site",
)
_add(
    "fine-tune-block",
    "Fine-tune the last block",
    "Go on from a finished run; only its last block and its head move.",
    fields={"strategy": {"layers": "last-block"}, "training": _TUNED},
    asks=("strategy.start_from",),
    start="a run of another site",
)
_add(
    "frozen",
    "Frozen encoder",
    "Go on from a finished run; only its head moves (a linear probe).",
    fields={"strategy": {"layers": "head"}},
    asks=("strategy.start_from",),
    start="a run of another site",
)
_add(
    "lp-ft",
    "Head first, then all",
    "The head alone for some epochs, then all layers (LP-FT): keeps more of what holds elsewhere. Kumar 2022, "
    "arXiv:2202.10054.",
    fields={"strategy": {"head_epochs": 3, "layers": "all"}, "training": _TUNED},
    asks=("strategy.start_from",),
    start="a run of another site",
)
_add(
    "moco",
    "Pretrain without labels (MoCo)",
    "Learn from pairs of views of unlabelled images; other runs start from it. It is never scored itself.",
    fields={
        "task": "moco",
        "view": {"external": ()},
        "training": {"augment": "contrast", "epochs": 50, "patience": 50},
    },
    options=MocoOptions,
    warn="Wants many images and epochs; on a few hundred it learns little.",
)
_add(
    "after-moco",
    "Fine-tune after pretraining",
    "Start from a pretrained encoder with a new head: the head alone first, then all layers.",
    fields={"strategy": {"head_epochs": 1, "layers": "all"}},
    asks=("strategy.start_from",),
    start="a pretraining run (MoCo)",
)
_add(
    "self-trained",
    "Self-trained",
    "A first model's probabilities stand in for uncertain labels. Irvin 2019, arXiv:1901.07031 (U-SelfTrained). Train the "
    "teacher first, with uncertain labels masked.",
    fields={"view": {"uncertain": "self-trained"}},
    asks=("teacher",),
)


def applied(name: str, base: Mapping[str, Any]) -> dict[str, Any]:
    """Return TrainSpec fields: those of `base` with the strategy's own put in, group by group. `base` stays as it is.

    >>> applied("frozen", {"strategy": {"start_from": "a"}})
    {'strategy': {'start_from': 'a', 'layers': 'head'}}
    """
    out = dict(base)
    for group, value in CHOICES[name].fields.items():
        out[group] = {**dict(out.get(group, {})), **value} if isinstance(value, Mapping) else value
    return out


def own_options(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of strategy.moco_options that differ from the defaults. Raises BadSpec: unknown or out of range."""
    said, default = (CHOICES["moco"].read(options).model_dump(mode="json") for options in (given, {}))
    return {option: value for option, value in said.items() if value != default[option]}


def why_not(spec: "TrainSpec") -> str:
    """Return why a spec's strategy cannot be carried out, in a sentence; "" when nothing here speaks against it."""
    how = spec.strategy
    if spec.task != "moco":
        return "strategy.moco_options are for the task 'moco'; leave them out." if how.moco_options else ""
    if spec.view.external:
        return (
            f"pretraining is not scored, so it has no external sites; leave out {', '.join(spec.view.external)} and name "
            "them in the run that starts from it"
        )
    if spec.training.augment == "none":
        return "two views of an image must differ; choose an augmentation, 'contrast' is made for it"
    if how.heads != "shared":
        return "pretraining has no heads by site; leave strategy.heads at 'shared'"
    return ""
