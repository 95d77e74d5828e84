"""What a lab can be asked to carry out: a training run, a network from elsewhere, scores, a study, an import.

In:    groups of fields.
Out:   TrainSpec, BroughtSpec, ScoreSpec, StudySpec, ImportSpec; each knows its name.
Never: torch, files.
"""

from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from cxrlab.errors import CxrlabError
from cxrlab.spec.parts import (
    ADDED,
    ADVANCED,
    Frozen,
    ModelSpec,
    StrategySpec,
    Task,
    TrainingSpec,
    ViewSpec,
)
from cxrlab.spec.text import digest


def _settled_model(model: ModelSpec) -> ModelSpec:
    from cxrlab.choices import fitting  # each choice's options are a group of fields, as this file's

    try:
        return fitting.settled_model(model)
    except CxrlabError as error:
        raise ValueError(str(error)) from error


class TrainSpec(Frozen):
    """Train at home, freeze, score everywhere. Two equal specs are the same run."""

    kind: Literal["train"] = "train"
    task: Task = Field(
        "labels", title="Task", description="Findings, normal against abnormal, or reconstruction."
    )
    view: ViewSpec
    model: ModelSpec = ModelSpec()
    training: TrainingSpec = TrainingSpec()
    strategy: StrategySpec = Field(StrategySpec(), title="Strategy", json_schema_extra=ADDED)
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
    teacher: str = Field(
        "",
        title="Teacher",
        description="Run whose probabilities replace uncertain labels, for the policy 'self-trained'.",
        json_schema_extra={**ADVANCED, **ADDED},
    )
    # Filled in at submission: the same words over other data are another run.
    data: dict[str, str] = Field(default_factory=dict, title="Store digests", json_schema_extra=ADVANCED)

    @field_validator("training")
    @classmethod
    def _names_are_known(cls, training: TrainingSpec) -> TrainingSpec:
        from cxrlab.choices import fitting  # each choice's options are a group of fields, as this file's

        try:
            return fitting.settled(training)
        except CxrlabError as error:
            raise ValueError(str(error)) from error

    _network_is_known = field_validator("model")(_settled_model)

    @model_validator(mode="after")
    def _task_fits_model(self) -> Self:
        if (self.task == "autoencoder") != (self.model.name == "autoencoder"):
            raise ValueError(f"the task {self.task!r} cannot use the network {self.model.name!r}")
        if (self.model.name == "latent_head") != bool(self.model.latents_of):
            raise ValueError("the network 'latent_head' and latents_of go together")
        values = self.view.preprocess.normalise
        if self.task == "autoencoder" and values in ("zscore", "imagenet"):
            raise ValueError(
                f"an autoencoder rebuilds grey values between 0 and 1, and {values!r} leaves that range; "
                "choose 'site', 'minmax' or 'percentile' as grey values"
            )
        return self

    @model_validator(mode="after")
    def _strategy_fits(self) -> Self:
        how = self.strategy
        if (how.layers != "all" or how.head_epochs) and not how.start_from and self.model.weights == "none":
            raise ValueError(
                "strategy.layers and strategy.head_epochs fine-tune what was learnt before; name a run in "
                "strategy.start_from or first weights in model.weights"
            )
        if how.head_epochs and how.layers == "head":
            raise ValueError(
                "strategy.head_epochs trains the head before the rest; with layers 'head' no rest moves"
            )
        if how.head_epochs >= self.training.epochs and how.head_epochs:
            raise ValueError(
                f"strategy.head_epochs is {how.head_epochs} of {self.training.epochs} epochs; leave some for the rest"
            )
        if how.heads == "by-site" and (len(self.view.source) < 2 or self.task != "labels"):
            raise ValueError("strategy.heads 'by-site' needs several home sites and the task 'labels'")
        if how.shares:
            wrong = sorted(set(how.shares) ^ set(self.view.source))
            if (
                wrong
                or not how.images
                or not abs(sum(how.shares.values()) - 1) <= 1e-6  # NaN compares false
                or not min(how.shares.values()) >= 0
            ):
                raise ValueError(
                    "strategy.shares gives every home site its share of strategy.images, together 1; "
                    f"found {how.shares} for {list(self.view.source)} and {how.images} images"
                )
        return self

    @field_validator("strategy")
    @classmethod
    def _own_options_are_known(cls, how: StrategySpec) -> StrategySpec:
        from cxrlab.choices import strategies

        try:
            own = strategies.own_options(how.moco_options)
        except CxrlabError as error:
            raise ValueError(str(error)) from error
        return how if own == how.moco_options else how.model_copy(update={"moco_options": own})

    @model_validator(mode="after")
    def _strategy_can_be(self) -> Self:
        from cxrlab.choices import strategies

        if problem := strategies.why_not(self):
            raise ValueError(problem)
        return self

    @model_validator(mode="after")
    def _policies_name_labels(self) -> Self:
        for name in ("uncertain_of", "blank_of"):
            unknown = [label for label in getattr(self.view, name) if label not in self.view.labels]
            if unknown:
                raise ValueError(
                    f"view.{name} names {unknown[0]!r}, which is not among this run's labels; "
                    f"expected one of: {', '.join(self.view.labels)}"
                )
        if self.task == "normal" and self.view.uncertain_of:
            raise ValueError(
                "view.uncertain_of is for the task 'labels': normal or abnormal is one answer, whose uncertain rows follow "
                "view.uncertain"
            )
        return self

    @model_validator(mode="after")
    def _choices_go_together(self) -> Self:
        from cxrlab.choices import fitting

        if problem := fitting.why_not(self):
            raise ValueError(problem)
        return self

    @property
    def run_id(self) -> str:
        """The run's name: what it is, where it trained, and eight digits of the spec's digest."""
        home = "+".join(self.view.source)[:20].replace("+", "-")
        what = f"{self.task}-{self.model.name.replace(':', '-')}".lower()  # timm:NAME is no folder's name
        return what[:30].replace("_", "-") + f"-{home}-{digest(self)[:8]}"


class BroughtView(ViewSpec):
    """As any run's, but where the network was trained may not be known."""

    source: tuple[str, ...] = Field(
        (),
        title="Home site",
        description="Where it was trained, of this lab's sites; empty: not known, or not here.",
    )


class BroughtFile(Frozen):
    """Where the weights came from, and how the file's tensors met the network's."""

    name: str = Field(title="File", description="Its name; where it lay does not matter.")
    digest: str = Field(title="SHA-256 of the file")
    licence: str = Field("", title="Licence", description="As somebody stated it; empty: nobody did.")
    loaded: int = Field(title="Tensors loaded", description="Every one of the network's, backbone and head.")
    unexpected: int = Field(0, title="Tensors left over")
    outputs: tuple[str, ...] = Field(
        min_length=1, title="Outputs", description="As said, in the file's order; '-': an answer not used."
    )
    softmax: bool = Field(
        False,
        title="Softmax",
        description="Two outputs that exclude one another; their difference is the logit.",
    )
    trained_as: str = Field("", title="Trained as", description="The run, where a cxrlab trained it.")
    mean: tuple[float, ...] = Field(
        (),
        title="Mean",
        description="Of its input, one a colour; empty: the file says it, or each image's own.",
    )
    std: tuple[float, ...] = Field((), title="Deviation", description="Of its input, one a colour.")


class BroughtSpec(Frozen):
    """A classifier trained elsewhere, whole with its head; nothing of it was trained here. A person names the run."""

    kind: Literal["brought"] = "brought"
    name: str = Field(title="Name")
    task: Literal["labels", "normal"] = Field("labels", title="Task")
    file: BroughtFile
    view: BroughtView
    model: ModelSpec
    seed: int = Field(0, ge=0, title="Seed", description="Decides which failures are drawn.")
    maps_per_group: int = Field(
        8,
        ge=0,
        le=200,
        title="Heatmaps",
        description="Images a label, site and kind of failure to draw maps for.",
    )
    # Sites that it is known to have seen → their stores' digests.
    data: dict[str, str] = Field(default_factory=dict, title="Store digests", json_schema_extra=ADVANCED)

    _network_is_known = field_validator("model")(_settled_model)

    @property
    def run_id(self) -> str:
        """The run's name."""
        return f"brought-{self.name}"


# What has a network: it can be asked about any site, and another run can go on from it.
NetworkSpec = TrainSpec | BroughtSpec


class ScoreSpec(Frozen):
    """Score a frozen run on more sites."""

    kind: Literal["score"] = "score"
    run: str = Field(title="Run", description="The run whose checkpoint is used.")
    sites: tuple[str, ...] = Field(min_length=1, title="Sites")
    allow_overlap: bool = Field(
        False, title="Allow overlapping sites", json_schema_extra={**ADVANCED, **ADDED}
    )
    data: dict[str, str] = Field(default_factory=dict, json_schema_extra=ADVANCED)

    @property
    def run_id(self) -> str:
        """The job's name."""
        return f"score-{'-'.join(self.sites)[:30]}-{digest(self)[:8]}"


class StudySpec(Frozen):
    """Autoencoder, multi-label network and normal/abnormal heads at one home site, scored at the external sites."""

    kind: Literal["study"] = "study"
    source: str = Field(title="Home site")
    external: tuple[str, ...] = Field((), title="External sites")
    preset: Literal["demo", "quick", "full"] = Field("quick", title="Preset")
    seed: int = Field(0, ge=0, title="Seed")
    allow_overlap: bool = Field(
        False, title="Allow overlapping sites", json_schema_extra={**ADVANCED, **ADDED}
    )
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


class ImportedFile(Frozen):
    """One site's scores from elsewhere: which file, and what each of its columns was taken for."""

    site: str = Field(title="Site")
    file: str = Field(title="File", description="Its name; where it lay does not matter.")
    digest: str = Field(title="SHA-256 of the file")
    columns: dict[str, str] = Field(title="Columns", description="Column → meaning, see foreign.columns.")
    truths: tuple[str, ...] = Field((), title="Other truths", description="As said, see foreign.truths.")


class ImportSpec(Frozen):
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
