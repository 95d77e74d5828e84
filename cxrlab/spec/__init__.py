"""Frozen values that decide a run's numbers; the hash of one is the run's name.

In:    fields from a form, a JSON file or a preset.
Out:   specs; `build`, `read` and `dumps`.
Never: torch, files of a lab, devices or worker counts (they do not change a number).
"""

from pathlib import Path
from typing import Annotated, Any, get_args

from pydantic import Field, TypeAdapter, ValidationError

from cxrlab import files
from cxrlab.errors import BadInput, BadSpec, MissingInput
from cxrlab.spec.kinds import (
    BroughtFile,
    BroughtSpec,
    BroughtView,
    ImportedFile,
    ImportSpec,
    NetworkSpec,
    ScoreSpec,
    StudySpec,
    TrainSpec,
)
from cxrlab.spec.parts import (
    ADVANCED,
    Blank,
    ModelSpec,
    PreprocessSpec,
    StrategySpec,
    Task,
    TrainingSpec,
    Uncertain,
    ViewSpec,
)
from cxrlab.spec.sentences import sentence
from cxrlab.spec.sweep import SweepSpec
from cxrlab.spec.text import digest, dumps

__all__ = ["ADVANCED", "AnySpec", "Blank", "BroughtFile", "BroughtSpec", "BroughtView", "ImportSpec", "ImportedFile", "ModelSpec", "NetworkSpec", "PreprocessSpec", "ScoreSpec",
           "Spec", "StrategySpec", "StudySpec", "SweepSpec", "Task", "TrainSpec", "TrainingSpec", "Uncertain", "ViewSpec", "build", "digest", "dumps",
           "read"]  # fmt: skip

AnySpec = TrainSpec | BroughtSpec | ScoreSpec | StudySpec | SweepSpec | ImportSpec
Spec = Annotated[AnySpec, Field(discriminator="kind")]
_ADAPTER: TypeAdapter[Any] = TypeAdapter(Spec)
KINDS = {kind.model_fields["kind"].default: kind for kind in get_args(AnySpec)}


def build(fields: dict[str, Any]) -> AnySpec:
    """Make a spec of plain values.

    Raises:
        BadSpec: a field is unknown, missing, out of range, or contradicts another; the text names the first three.
    """
    try:
        return _ADAPTER.validate_python(fields)
    except ValidationError as error:
        said = "; ".join(sentence(e, KINDS).rstrip(".") for e in error.errors()[:3])
        raise BadSpec(f"{said}.") from error


def read(path: Path) -> AnySpec:
    """Read a spec from a JSON file.

    Raises:
        MissingInput: there is no such file.
        BadSpec: its text is not JSON or not a spec.
    """
    if not path.exists():
        raise MissingInput(f"no spec at {path}.")
    try:
        fields = files.read_json(path)
    except BadInput as error:
        raise BadSpec(str(error)) from error
    if not isinstance(fields, dict):
        raise BadSpec(f"{path} holds a {type(fields).__name__}; expected an object with the key 'kind'.")
    try:
        return build(fields)
    except BadSpec as error:
        raise BadSpec(f"{path}: {error}") from error
