"""The groups of a run's fields: data, images, model, training.

In:    fields from a form, a JSON file or a preset.
Out:   PreprocessSpec, ViewSpec, ModelSpec, TrainingSpec.
Never: torch, files of a lab, devices or worker counts (they do not change a number).

Field metadata serves three screens at once: `title` and `description` are help texts, bounds are checked here and shown
in forms, `json_schema_extra={"advanced": True}` folds a field away, `{"unit": "px"}` is printed beside it.
"""

from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from cxrlab.labels import SHARED, VOCABULARY

ADVANCED = {"advanced": True}
# A field that older specs do not have: at its default it stays out of the canonical JSON, so old runs keep their names.
ADDED = {"added": True}
MORE = {**ADVANCED, **ADDED}
Task = Literal["labels", "normal", "autoencoder", "moco"]
Uncertain = Literal["ignore", "zeros", "ones", "zeros-lsr", "ones-lsr", "multiclass", "self-trained"]
Blank = Literal["negative", "ignore"]


def _of(room: str, more: dict[str, Any] | None = None) -> dict[str, Any]:
    """A field that names a plug-in: the file of cxrlab.choices that knows which there are, and what each lets one set."""
    return {"room": room, **(more or {})}


def _options(title: str, description: str) -> Any:
    return Field(default_factory=dict, title=title, description=description, json_schema_extra=MORE)


class Frozen(BaseModel):
    """A frozen value; unknown fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class PreprocessSpec(Frozen):
    """Images: what is done to every site's images before a network sees them."""

    crop: Literal["none", "centre", "lungs"] = Field(
        "none",
        title="Crop",
        description="'centre' keeps the middle of the image, 'lungs' the box around both lungs (the whole image where "
        "they are not found).",
        json_schema_extra=ADDED,
    )
    contrast: Literal["none", "clahe", "nyul"] = Field(
        "none",
        title="Contrast",
        description="'clahe' equalises local contrast; 'nyul' maps grey values to landmarks of home's training rows.",
        json_schema_extra=ADDED,
    )
    shape: Literal["stretch", "letterbox"] = Field(
        "stretch",
        title="Shape",
        description="How an oblong image becomes a square: stretched, or padded with black.",
        json_schema_extra=ADDED,
    )
    normalise: Literal["site", "imagenet", "minmax", "percentile", "zscore"] = Field(
        "site",
        title="Grey values",
        description="'site': home's mean and standard deviation; 'imagenet': those of ImageNet; per image: smallest to "
        "largest, 0.5 to 99.5 percentile, or z-score.",
        json_schema_extra=ADDED,
    )


class ViewSpec(Frozen):
    """Data: which rows, which labels, and what doubtful evidence becomes."""

    source: tuple[str, ...] = Field(min_length=1, title="Home site", description="Sites to train on.")
    external: tuple[str, ...] = Field(
        (),
        title="External sites",
        description="Sites that training never sees; the frozen model is scored there.",
    )
    labels: tuple[str, ...] = Field(
        SHARED,
        min_length=1,
        title="Labels",
        description="Findings to predict; a label that home lacks is refused.",
    )
    image_px: int = Field(
        64,
        ge=28,
        le=2048,
        title="Image side",
        description="Images are reduced to this many pixels a side.",
        json_schema_extra={"unit": "px"},
    )
    uncertain: Uncertain = Field(
        "ignore",
        title="Uncertain labels",
        description="What 'uncertain' evidence becomes in training: masked, 0, 1, smoothed 0 (0 to 0.3) or 1 (0.55 to "
        "0.85), a third class, or a first model's probability. It is never scored against.",
    )
    uncertain_of: dict[str, Uncertain] = Field(
        default_factory=dict,
        title="Uncertain, by label",
        description="Label → its own policy, where it differs.",
        json_schema_extra={**ADVANCED, **ADDED},
    )
    blank: Blank = Field(
        "negative",
        title="Unmentioned labels",
        description="What an unmentioned finding becomes: 0 or masked.",
    )
    blank_of: dict[str, Blank] = Field(
        default_factory=dict,
        title="Unmentioned, by label",
        description="Label → its own policy, where it differs.",
        json_schema_extra={**ADVANCED, **ADDED},
    )
    preprocess: PreprocessSpec = Field(PreprocessSpec(), title="Images", json_schema_extra=ADDED)
    allow_overlap: bool = Field(
        False,
        title="Allow overlapping sites",
        description="Score a site as external though it shares images or patients with home; every result says so.",
        json_schema_extra={**ADVANCED, **ADDED},
    )
    official_split: bool = Field(
        False,
        title="Official split",
        description="Use the site's own split instead of the patient split.",
        json_schema_extra=ADVANCED,
    )
    only_normal: bool = Field(
        False,
        title="Normals only",
        description="Train on rows without any finding (autoencoders).",
        json_schema_extra=ADVANCED,
    )

    @model_validator(mode="after")
    def _sites_are_apart(self) -> Self:
        both = sorted(set(self.source) & set(self.external))
        if both:
            raise ValueError(
                f"{both} are both home and external; an external site must be unseen in training"
            )
        if len(set(self.external)) < len(self.external) or len(set(self.source)) < len(self.source):
            raise ValueError("a site is named twice")
        unknown = [label for label in self.labels if label not in VOCABULARY]
        if unknown:
            raise ValueError(f"no label named {unknown[0]!r}; known labels: {', '.join(VOCABULARY)}")
        return self


class ModelSpec(Frozen):
    """Model: the network and where its first weights come from."""

    name: str = Field(
        "densenet121",
        title="Network",
        description="A name in cxrlab.choices.networks, or timm:NAME for any other of timm's.",
        json_schema_extra=_of("networks"),
    )
    options: dict[str, Any] = _options("Network's own", "What differs from the network's own defaults.")
    weights: str = Field(
        "none",
        title="First weights",
        description="'none' (random), 'hub' (needs a network), or the path of a .safetensors or .pth file.",
    )
    allow_noncommercial: bool = Field(
        False,
        title="Non-commercial weights",
        description="Take first weights whose licence is not free for every use; the run says which it is.",
        json_schema_extra={**ADVANCED, **ADDED},
    )
    colours: Literal[1, 3] = Field(
        1,
        title="Colours",
        description="What its first layer takes: the grey image once, or once for each of three colours.",
        json_schema_extra=MORE,
    )
    latent_units: int = Field(
        128,
        ge=2,
        le=4096,
        title="Latent units",
        description="Width of an autoencoder's bottleneck.",
        json_schema_extra=ADVANCED,
    )
    latents_of: str = Field(
        "",
        title="On latents of",
        description="Run id of an autoencoder whose latents are this head's input.",
        json_schema_extra=ADVANCED,
    )


class TrainingSpec(Frozen):
    """Training: how long, how fast, and when to stop."""

    epochs: int = Field(
        10, ge=1, le=1000, title="Epochs", description="At most this many passes over the training rows."
    )
    batch: int = Field(
        32, ge=2, le=1024, title="Batch", description="Images a step.", json_schema_extra={"unit": "images"}
    )
    learning_rate: float = Field(
        1e-3,
        gt=0,
        le=1,
        title="Learning rate",
        description="Peak of a cosine with warm-up; 1e-3 from random weights, 1e-4 for fine-tuning.",
    )
    weight_decay: float = Field(1e-2, ge=0, le=1, title="Weight decay", json_schema_extra=ADVANCED)
    optimizer: str = Field(
        "adamw",
        title="Optimizer",
        description="A name in cxrlab.choices.optimizers.",
        json_schema_extra=_of("optimizers"),
    )
    optimizer_options: dict[str, Any] = _options(
        "Optimizer's own", "What differs from the optimizer's defaults."
    )
    schedule: str = Field(
        "cosine",
        title="Schedule",
        description="How the learning rate falls: a name in cxrlab.choices.schedules.",
        json_schema_extra=_of("schedules", MORE),
    )
    schedule_options: dict[str, Any] = _options(
        "Schedule's own", "What differs from the schedule's defaults."
    )
    loss: str = Field(
        "bce",
        title="Loss",
        description="A name in cxrlab.choices.losses.",
        json_schema_extra=_of("losses", ADDED),
    )
    loss_options: dict[str, Any] = _options("Loss's own", "What differs from the loss's defaults.")
    sampling: str = Field(
        "plain",
        title="Sampling",
        description="Which images an epoch shows: a name in cxrlab.choices.sampling.",
        json_schema_extra=_of("sampling", MORE),
    )
    sampling_options: dict[str, Any] = _options(
        "Sampling's own", "What differs from the way of sampling's defaults."
    )
    patience: int = Field(
        5,
        ge=1,
        le=1000,
        title="Patience",
        description="Stop after this many epochs without a better validation value.",
        json_schema_extra={"unit": "epochs", **ADVANCED},
    )
    balance: bool = Field(
        True,
        title="Weigh positives",
        description="Positive weight min(negatives/positives, 10) a label.",
        json_schema_extra=ADVANCED,
    )
    augment: str = Field(
        "light",
        title="Augmentation",
        description="A name in cxrlab.choices.augmentations; 'light': shifts, rotations up to 10 degrees, zoom, exposure.",
        json_schema_extra=_of("augmentations"),
    )
    clip_norm: float = Field(
        0.0,
        ge=0,
        le=1000,
        title="Clip gradients at",
        description="Largest norm of a step's gradient; 0: not clipped.",
        json_schema_extra=MORE,
    )
    accumulate: int = Field(
        1,
        ge=1,
        le=256,
        title="Parts a batch",
        description="A batch goes through in so many parts, for less memory; batch norm sees the parts.",
        json_schema_extra=MORE,
    )
    precision: Literal["auto", "fp32", "bf16", "fp16"] = Field(
        "auto",
        title="Precision",
        description="'auto': bf16 where the hardware multiplies it, else fp32. Scoring is always fp32.",
        json_schema_extra=MORE,
    )
    compile: bool = Field(
        False,
        title="Compile",
        description="Compile the network first: worth it for long runs on a GPU.",
        json_schema_extra=MORE,
    )
    select: Literal["auto", "val-macro-auroc", "val-macro-auprc", "val-loss", "val-mse", "last"] = Field(
        "auto",
        title="Choose the epoch by",
        description="On home's validation rows. 'auto': macro AUROC, or reconstruction error for an autoencoder.",
        json_schema_extra=MORE,
    )


class StrategySpec(Frozen):
    """Strategy: where training starts, what it may move, how many labels it may see."""

    start_from: str = Field(
        "",
        title="Start from",
        description="Run whose network is fine-tuned; its home counts as seen.",
        json_schema_extra=ADDED,
    )
    layers: Literal["all", "last-block", "head"] = Field(
        "all", title="Layers", description="What may move.", json_schema_extra=ADDED
    )
    head_epochs: int = Field(
        0,
        ge=0,
        le=1000,
        title="Head first",
        description="Epochs that train the head alone before the rest may move (LP-FT).",
        json_schema_extra={"unit": "epochs", **ADDED},
    )
    heads: Literal["shared", "by-site"] = Field(
        "shared",
        title="Heads",
        description="'by-site': one encoder, a head for each home site; elsewhere their mean logit is the score.",
        json_schema_extra=ADDED,
    )
    images: int = Field(
        0,
        ge=0,
        le=10_000_000,
        title="Label budget",
        description="Train on so many images, patient by patient; 0: all.",
        json_schema_extra={"unit": "images", **ADDED},
    )
    shares: dict[str, float] = Field(
        default_factory=dict,
        title="Shares",
        description="Home site → its share of the budget; empty: as the sites are.",
        json_schema_extra=MORE,
    )
    moco_options: dict[str, Any] = _options(
        "MoCo's own", "For the task 'moco': what differs from the defaults in cxrlab.choices.strategies."
    )
