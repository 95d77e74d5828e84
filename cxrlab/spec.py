"""Frozen values that decide a run's numbers; the hash of one is the run's name.

In:    fields from a form, a JSON file or a preset.
Out:   TrainSpec, ScoreSpec, StudySpec, ImportSpec; `read` and `dumps`.
Never: torch, files of a lab, devices or worker counts (they do not change a number).

Field metadata serves three screens at once: `title` and `description` are help texts, bounds are checked here and shown
in forms, `json_schema_extra={"advanced": True}` folds a field away, `{"unit": "px"}` is printed beside it.
"""

import hashlib
import json
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from cxrlab.errors import BadSpec, MissingInput
from cxrlab.labels import SHARED, VOCABULARY

ADVANCED = {"advanced": True}
Task = Literal["labels", "normal", "autoencoder"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ViewSpec(_Frozen):
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
        le=1024,
        title="Image side",
        description="Images are reduced to this many pixels a side.",
        json_schema_extra={"unit": "px"},
    )
    uncertain: Literal["ignore", "zeros", "ones"] = Field(
        "ignore", title="Uncertain labels", description="What 'uncertain' evidence becomes: masked, 0 or 1."
    )
    blank: Literal["negative", "ignore"] = Field(
        "negative",
        title="Unmentioned labels",
        description="What an unmentioned finding becomes: 0 or masked.",
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


class ModelSpec(_Frozen):
    """Model: the network and where its first weights come from."""

    name: str = Field("densenet121", title="Network", description="A name in cxrlab.models.MODELS.")
    weights: str = Field(
        "none",
        title="First weights",
        description="'none' (random), 'hub' (needs a network), or the path of a .safetensors file.",
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


class TrainingSpec(_Frozen):
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
    optimizer: Literal["adamw", "adam"] = Field("adamw", title="Optimizer", json_schema_extra=ADVANCED)
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
    augment: Literal["none", "light"] = Field(
        "light",
        title="Augmentation",
        description="'light': shifts, rotations up to 10 degrees, zoom, exposure; no flips.",
    )


class TrainSpec(_Frozen):
    """Train at home, freeze, score everywhere. Two equal specs are the same run."""

    kind: Literal["train"] = "train"
    task: Task = Field(
        "labels", title="Task", description="Findings, normal against abnormal, or reconstruction."
    )
    view: ViewSpec
    model: ModelSpec = ModelSpec()
    training: TrainingSpec = TrainingSpec()
    seed: int = Field(
        0, ge=0, title="Seed", description="Decides first weights, order of rows and augmentation."
    )
    maps_per_group: int = Field(
        8,
        ge=0,
        le=200,
        title="Heatmaps",
        description="Images a label, site and kind of failure to draw maps for; 0: none.",
        json_schema_extra=ADVANCED,
    )
    # Filled in at submission: the same words over other data are another run.
    data: dict[str, str] = Field(default_factory=dict, title="Store digests", json_schema_extra=ADVANCED)

    @model_validator(mode="after")
    def _task_fits_model(self) -> Self:
        if (self.task == "autoencoder") != (self.model.name == "autoencoder"):
            raise ValueError(f"the task {self.task!r} cannot use the network {self.model.name!r}")
        if (self.model.name == "latent_head") != bool(self.model.latents_of):
            raise ValueError("the network 'latent_head' and latents_of go together")
        return self

    @property
    def run_id(self) -> str:
        """The run's name: what it is, where it trained, and eight digits of the spec's digest."""
        home = "+".join(self.view.source)[:20].replace("+", "-")
        return f"{self.task}-{self.model.name}"[:30].replace("_", "-") + f"-{home}-{digest(self)[:8]}"


class ScoreSpec(_Frozen):
    """Score a frozen run on more sites."""

    kind: Literal["score"] = "score"
    run: str = Field(title="Run", description="The run whose checkpoint is used.")
    sites: tuple[str, ...] = Field(min_length=1, title="Sites")
    data: dict[str, str] = Field(default_factory=dict, json_schema_extra=ADVANCED)

    @property
    def run_id(self) -> str:
        """The job's name."""
        return f"score-{'-'.join(self.sites)[:30]}-{digest(self)[:8]}"


class StudySpec(_Frozen):
    """Autoencoder, multi-label network and normal/abnormal heads at one home site, scored at the external sites."""

    kind: Literal["study"] = "study"
    source: str = Field(title="Home site")
    external: tuple[str, ...] = Field((), title="External sites")
    preset: Literal["demo", "quick", "full"] = Field("quick", title="Preset")
    seed: int = Field(0, ge=0, title="Seed")
    # "" over the stores of the lab; "phantom": draw the phantom sites first.
    make: Literal["", "phantom"] = ""
    data: dict[str, str] = Field(default_factory=dict, json_schema_extra=ADVANCED)

    @model_validator(mode="after")
    def _sites_are_apart(self) -> Self:
        if self.source in self.external:
            raise ValueError(
                f"[{self.source!r}] is both home and external; an external site must be unseen in training"
            )
        return self

    @property
    def run_id(self) -> str:
        """The study's name."""
        return f"study-{self.preset}-{self.source[:30]}-{digest(self)[:8]}"


class ImportedFile(_Frozen):
    """One site's scores from elsewhere: which file, and what each of its columns was taken for."""

    site: str = Field(title="Site")
    file: str = Field(title="File", description="Its name; where it lay does not matter.")
    digest: str = Field(title="SHA-256 of the file")
    columns: dict[str, str] = Field(title="Columns", description="Column → meaning, see foreign.columns.")
    truths: tuple[str, ...] = Field((), title="Other truths", description="As said, see foreign.truths.")


class ImportSpec(_Frozen):
    """Scores of a model that we do not have. Sites can be added, so a person names the run, not a digest."""

    kind: Literal["import"] = "import"
    name: str = Field(title="Name")
    home: str = Field("", title="Home site", description="Where the model was trained; empty: not known.")
    files: tuple[ImportedFile, ...] = Field(min_length=1, title="Files")

    @model_validator(mode="after")
    def _a_site_comes_once(self) -> Self:
        sites = [one.site for one in self.files]
        if len(set(sites)) < len(sites):
            raise ValueError("a site is named twice")
        return self

    @property
    def run_id(self) -> str:
        """The run's name."""
        return f"import-{self.name}"

    @property
    def external(self) -> tuple[str, ...]:
        """The sites with scores, without home, in the order of import."""
        return tuple(one.site for one in self.files if one.site != self.home)


AnySpec = TrainSpec | ScoreSpec | StudySpec | ImportSpec
Spec = Annotated[AnySpec, Field(discriminator="kind")]
_ADAPTER: TypeAdapter[Any] = TypeAdapter(Spec)


def dumps(spec: BaseModel) -> str:
    """Return the spec as canonical JSON: sorted keys, every default written out."""
    return json.dumps(spec.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))


def digest(spec: BaseModel) -> str:
    """Return the SHA-256 of the canonical JSON, 64 hexadecimal digits."""
    return hashlib.sha256(dumps(spec).encode()).hexdigest()


def build(fields: dict[str, Any]) -> AnySpec:
    """Make a spec of plain values.

    Raises:
        BadSpec: a field is unknown, missing, out of range, or contradicts another; the text names the first three.
    """
    try:
        return _ADAPTER.validate_python(fields)
    except ValidationError as error:
        raise BadSpec("; ".join(_sentence(e) for e in error.errors()[:3])) from error


def _sentence(error: Any) -> str:
    where = ".".join(str(part) for part in error["loc"] if part not in ("train", "score", "study", "import"))
    text = error["msg"].removeprefix("Value error, ")
    if error["type"] == "extra_forbidden":
        text = "no such field"
    return f"{where}: {text}" if where else text


def read(path: Path) -> AnySpec:
    """Read a spec from a JSON file.

    Raises:
        MissingInput: there is no such file.
        BadSpec: its text is not JSON or not a spec.
    """
    if not path.exists():
        raise MissingInput(f"no spec at {path}.")
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise BadSpec(f"{path} is not JSON ({error}).") from error
    if not isinstance(fields, dict):
        raise BadSpec(f"{path} holds a {type(fields).__name__}; expected an object with the key 'kind'.")
    try:
        return build(fields)
    except BadSpec as error:
        raise BadSpec(f"{path}: {error}") from error
