"""Many runs asked for at once: fields that are varied over one training run, and runs that need one another.

In:    a file, a form, a study preset.
Out:   SweepSpec; it knows its name.
Never: torch, files; which runs come of it (sweeps.expand).
"""

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from cxrlab.spec.parts import Frozen
from cxrlab.spec.text import digest

NAME = r"^[a-z0-9][a-z0-9_.-]{0,39}$"


class Arm(Frozen):
    """One arm of an experiment: what it sets, and whose run it goes on from."""

    name: str = Field(pattern=NAME, title="Arm")
    set: dict[str, Any] = Field(
        default_factory=dict, title="Sets", description="Field of the run, as training.loss → its value."
    )
    axes: dict[str, tuple[Any, ...]] = Field(
        default_factory=dict,
        title="Varies",
        description="Fields that this arm alone varies, as in the sweep's axes.",
    )
    needs: dict[str, str] = Field(
        default_factory=dict,
        title="Needs",
        description="Field that names a run, as strategy.start_from → the arm, standing before, whose run it is.",
    )


class SweepSpec(Frozen):
    """Runs that differ in named fields. Two equal sweeps are the same one."""

    kind: Literal["sweep"] = "sweep"
    name: str = Field(
        pattern=NAME,
        title="Name",
        description="Lower-case letters, digits, '-', '_' and '.'; the sweep is found again by it.",
    )
    title: str = Field("", title="Title")
    question: str = Field("", title="Question")
    base: dict[str, Any] = Field(
        title="Base", description="Fields of a training run, what all runs have in common."
    )
    how: Literal["grid", "list"] = Field(
        "grid",
        title="Combined as",
        description="'grid': every value with every other; 'list': the first of each axis, the second of each, and so on.",
    )
    axes: dict[str, tuple[Any, ...]] = Field(
        default_factory=dict, title="Axes", description="Field, as training.learning_rate → its values."
    )
    arms: tuple[Arm, ...] = Field((), title="Arms")
    seeds: tuple[int, ...] = Field(
        (0,),
        min_length=1,
        title="Seeds",
        description="Every run once a seed; results are mean ± sd over them.",
    )
    skip_invalid: bool = Field(
        False,
        title="Leave out what cannot be",
        description="Else one impossible run refuses the whole sweep.",
    )
    data: dict[str, str] = Field(default_factory=dict, title="Store digests")

    @model_validator(mode="after")
    def _axes_have_values(self) -> Self:
        for where, axes in (("axes", self.axes), *((f"arm {arm.name!r}", arm.axes) for arm in self.arms)):
            for field, values in axes.items():
                if field in ("seed", "data", "kind"):
                    raise ValueError(f"{where}: {field!r} is no axis; name seeds in the field 'seeds'")
                if not values:
                    raise ValueError(f"{where}: {field!r} has no values")
        lengths = {field: len(values) for field, values in self.axes.items()}
        if self.how == "list" and len(set(lengths.values())) > 1:
            said = ", ".join(f"{field}: {n}" for field, n in lengths.items())
            raise ValueError(
                f"a list takes one value of each axis in turn, so all need as many; found {said}"
            )
        if len(set(self.seeds)) < len(self.seeds) or min(self.seeds) < 0:
            raise ValueError(f"seeds are whole numbers of at least 0, each once; found {list(self.seeds)}")
        return self

    @model_validator(mode="after")
    def _arms_need_arms_before_them(self) -> Self:
        before: dict[str, Arm] = {}
        for arm in self.arms:
            if arm.name in before:
                raise ValueError(f"two arms are named {arm.name!r}")
            for needed in arm.needs.values():
                if needed not in before:
                    raise ValueError(
                        f"the arm {arm.name!r} needs {needed!r}, which does not stand before it; arms before it: "
                        f"{', '.join(before) or 'none'}"
                    )
                lacking = [field for field in before[needed].axes if field not in arm.axes]
                if lacking:
                    raise ValueError(
                        f"the arm {arm.name!r} needs one run of {needed!r}, which varies {lacking[0]!r}; vary it in both"
                    )
            before[arm.name] = arm
        return self

    @property
    def run_id(self) -> str:
        """The sweep's name among the runs."""
        return f"sweep-{self.name}-{digest(self)[:8]}"
