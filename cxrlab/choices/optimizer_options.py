"""What each optimizer lets one set: the fields of its form.

In:    nothing.
Out:   one frozen model an optimizer.
Never: torch; learning rate and weight decay (fields of TrainingSpec); what an optimizer costs (optimizers.py beside this).

Defaults without another source are the paper's, as pytorch_optimizer 4.1.0 has them.
"""

from typing import Any, Self

from pydantic import Field, model_validator

from cxrlab.spec.parts import ADVANCED, Frozen


def _share(default: float, title: str, description: str, **more: Any) -> Any:
    """A decay rate, in [0, 1)."""
    return Field(
        default, ge=0, lt=1, title=title, description=description, json_schema_extra=ADVANCED, **more
    )


def _eps(default: float = 1e-8) -> Any:
    return Field(
        default,
        gt=0,
        le=1e-2,
        title="Epsilon",
        description="Added to the denominator so that a tiny gradient makes no giant step.",
        json_schema_extra=ADVANCED,
    )


class AdamOptions(Frozen):
    """Adam's: torch's defaults."""

    beta1: float = _share(0.9, "Beta 1", "Memory of the mean gradient.")
    beta2: float = _share(0.999, "Beta 2", "Memory of the squared gradient.")
    eps: float = _eps()


class RmsPropOptions(Frozen):
    """RMSprop's: torch's defaults."""

    alpha: float = _share(0.99, "Alpha", "Memory of the squared gradient.")
    momentum: float = _share(0.0, "Momentum", "Memory of the step.")
    eps: float = _eps()


class MuonOptions(Frozen):
    """Muon's, and AdamW's for what Muon must not touch."""

    momentum: float = _share(0.95, "Momentum", "Memory of the gradient.")  # Jordan 2024, Muon
    nesterov: bool = Field(
        True, title="Nesterov", description="Look ahead by one step.", json_schema_extra=ADVANCED
    )
    iterations: int = Field(
        5,  # Jordan 2024, Muon
        ge=1,
        le=20,
        title="Iterations",
        description="Newton–Schulz iterations that make a step's matrix orthogonal.",
        json_schema_extra=ADVANCED,
    )
    # AdamW's own, so that the arms differ in the hidden weights alone; the library would take 0.95 and 1e-10.
    beta1: float = _share(0.9, "Beta 1", "Of AdamW, for first and last layers, norms and biases.")
    beta2: float = _share(0.999, "Beta 2", "Likewise.")
    eps: float = _eps()


class ScheduleFreeOptions(Frozen):
    """Schedule-Free AdamW's."""

    beta1: float = Field(
        0.9,
        gt=0,
        lt=1,
        title="Beta 1",
        description="Where gradients are taken between the average (1) and the fast weights (0).",
        json_schema_extra=ADVANCED,
    )
    beta2: float = _share(0.999, "Beta 2", "Memory of the squared gradient.")
    eps: float = _eps()
    power: float = Field(
        2.0,
        ge=0,
        le=10,
        title="Power of the rate",
        description="How little the average heeds warm-up steps: weight = (highest rate so far) to this power.",
        json_schema_extra=ADVANCED,
    )


class LionOptions(Frozen):
    """Lion's."""

    beta1: float = _share(0.9, "Beta 1", "Memory in the direction of a step.")
    beta2: float = _share(0.99, "Beta 2", "Memory of the mean gradient.")


class SoapOptions(Frozen):
    """SOAP's."""

    beta1: float = _share(0.95, "Beta 1", "Memory of the mean gradient.")
    beta2: float = _share(0.95, "Beta 2", "Memory of the squared gradient and of its correlations.")
    eps: float = _eps()
    every: int = Field(
        10,
        ge=1,
        le=1000,
        title="Turn the axes every",
        description="Steps between two updates of the eigenvectors.",
        json_schema_extra={"unit": "steps", **ADVANCED},
    )
    largest: int = Field(
        10000,  # 512 was slower on DenseNet-121, knowledge/methods.md
        ge=1,
        le=100000,
        title="Largest side",
        description="A side of a weight longer than this is left as it is; smaller saves memory.",
        json_schema_extra=ADVANCED,
    )


class AdanOptions(Frozen):
    """Adan's."""

    beta1: float = _share(0.98, "Beta 1", "Memory of the mean gradient.")
    beta2: float = _share(0.92, "Beta 2", "Memory of the gradient's change.")
    beta3: float = _share(0.99, "Beta 3", "Memory of the squared, corrected gradient.")
    eps: float = _eps()
    proximal: bool = Field(
        True,  # the paper's algorithm
        title="Proximal decay",
        description="Decay by dividing after the step; off: multiply before it, as AdamW.",
        json_schema_extra=ADVANCED,
    )


class MarsOptions(Frozen):
    """MARS-AdamW's."""

    beta1: float = _share(0.95, "Beta 1", "Memory of the corrected gradient.")
    beta2: float = _share(0.99, "Beta 2", "Memory of its square.")
    gamma: float = Field(
        0.025,
        ge=0,
        le=1,
        title="Gamma",
        description="How much of the gradient's change is added; 0 leaves AdamW with a clipped gradient.",
    )
    beta1_1d: float = _share(0.9, "Beta 1, vectors", "Of AdamW, for norms and biases.")
    beta2_1d: float = _share(0.95, "Beta 2, vectors", "Likewise.")
    eps: float = _eps()


class _Rho(Frozen):
    # Foret 2021, arXiv:2010.01412
    rho: float = Field(
        0.05,
        ge=0,
        le=10,
        title="Rho",
        description="How far uphill the second gradient is taken; 0 is plain AdamW at twice the price.",
    )
    adaptive: bool = Field(
        False,
        title="Adaptive",
        description="Measure the distance in each weight's own size (ASAM); rho is then 0.5 to 2.",  # Kwon 2021
        json_schema_extra=ADVANCED,
    )


class SamOptions(_Rho):
    """SAM's."""


class GsamOptions(_Rho):
    """GSAM's."""

    rho_min: float = Field(
        0.01,
        ge=0,
        le=10,
        title="Least rho",
        description="Rho falls with the learning rate, from rho at its peak to this at zero.",
    )
    alpha: float = Field(
        0.4,
        ge=0,
        le=1,
        title="Alpha",
        description="How strongly the gap between both losses is closed; 0 is SAM.",
    )

    @model_validator(mode="after")
    def _rho_falls(self) -> Self:
        if self.rho_min > self.rho:
            raise ValueError(f"rho_min is {self.rho_min:g}, above rho ({self.rho:g}); it must not be larger")
        return self


class WsamOptions(_Rho):
    """WSAM's."""

    gamma: float = Field(
        0.9,
        ge=0,
        le=0.99,  # its weight is gamma / (1 − gamma)
        title="Gamma",
        description="Weight of sharpness: 0 is AdamW, 0.5 is SAM, above it sharpness counts more than in SAM.",
    )
    decouple: bool = Field(
        True,
        title="Decoupled",
        description="Take sharpness off after AdamW's step, as decoupled weight decay; off: inside the gradient.",
        json_schema_extra=ADVANCED,
    )


class LookSamOptions(_Rho):
    """LookSAM's."""

    rho: float = Field(
        0.1, ge=0, le=10, title="Rho", description="How far uphill the second gradient is taken."
    )
    every: int = Field(
        5,  # LookSAM-5 of Liu 2022, arXiv:2203.02714
        ge=1,
        le=100,
        title="Look every",
        description="Steps between two second gradients; 1 is SAM.",
        json_schema_extra={"unit": "steps"},
    )
    alpha: float = Field(
        0.7,
        gt=0,
        lt=1,
        title="Alpha",
        description="Weight of the remembered uphill part in the steps between.",
    )


class FriendlySamOptions(_Rho):
    """F-SAM's."""

    sigma: float = Field(
        1.0,
        ge=0,
        le=10,
        title="Sigma",
        description="How much of the mean gradient is taken out of the uphill direction; 0 is SAM.",
    )
    decay: float = _share(0.9, "Lambda", "Memory of the mean gradient.")
