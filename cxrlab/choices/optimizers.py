"""How weights follow their gradients: what a form asks, and what each way costs.

In:    nothing.
Out:   CHOICES, an OptimizerChoice an optimizer.
Never: torch; learning rate and weight decay (fields of TrainingSpec); the optimizers themselves (optimizers/).
"""

from dataclasses import dataclass
from typing import Any

from cxrlab.choices import Choice
from cxrlab.choices.optimizer_options import (
    AdamOptions,
    AdanOptions,
    FriendlySamOptions,
    GsamOptions,
    LionOptions,
    LookSamOptions,
    MarsOptions,
    MuonOptions,
    RmsPropOptions,
    SamOptions,
    ScheduleFreeOptions,
    SoapOptions,
    WsamOptions,
)
from cxrlab.registry import Registry
from cxrlab.spec.parts import Frozen


@dataclass(frozen=True, kw_only=True)
class OptimizerChoice(Choice):
    """An optimizer as a form sees it, with what it costs."""

    learning_rate: float  # a first try when fine-tuning DenseNet-121; no sweep of ours stands behind it
    weight_decay: float  # likewise
    state: float  # state kept between steps ÷ parameters, on DenseNet-121, measured
    passes: float = 1.0  # forward and backward passes a step
    needs_scheduling: bool = True  # False: the rate is only warmed up, whatever the schedule


CHOICES: Registry[OptimizerChoice] = Registry("optimizer")


_TWICE = "Two passes a step: about twice AdamW's time. Not with fp16 and loss scaling; bf16 is fine."


def _choice(
    name: str,
    title: str,
    options: type[Frozen],
    start: tuple[float, float],
    state: float,
    sentence: str,
    **more: Any,
) -> None:
    CHOICES.add(name)(
        OptimizerChoice(
            name=name,
            title=title,
            sentence=sentence,
            options=options,
            learning_rate=start[0],
            weight_decay=start[1],
            state=state,
            **more,
        )
    )


# Starting points: knowledge/methods.md, section 1.
_choice("adamw", "AdamW", AdamOptions, (1e-4, 1e-2), 2.0, "The usual one. Loshchilov 2019, arXiv:1711.05101.")
_choice(
    "adam",
    "Adam",
    AdamOptions,
    (1e-4, 1e-5),
    2.0,
    "Weight decay goes through the gradient. Kingma 2015, arXiv:1412.6980.",
)
_choice(
    "rmsprop",
    "RMSprop",
    RmsPropOptions,
    (5e-5, 1e-5),
    1.0,
    "A step by the root of the mean square. Tieleman 2012.",
)
_choice(
    "muon",
    "Muon + AdamW",
    MuonOptions,
    (1e-4, 1e-2),
    1.0,
    "Makes each hidden weight's step orthogonal; AdamW for first and last layers, norms and biases. Jordan 2024.",
    warn="Fine-tuning weights that Adam made is reported to suffer: an arm of an experiment, not a default.",
)
_choice(
    "schedule-free-adamw",
    "Schedule-Free AdamW",
    ScheduleFreeOptions,
    (3e-4, 1e-2),
    2.0,
    "Averages its weights in place of a falling rate. Defazio 2024, arXiv:2405.15682.",
    warn="Wants 1 to 10 times AdamW's rate; the schedule is left out but for its warm-up.",
    needs_scheduling=False,
)
_choice(
    "lion",
    "Lion",
    LionOptions,
    (2e-5, 1e-1),
    1.0,
    "Steps of one size by sign. Chen 2023, arXiv:2302.06675.",
    warn="Wants a rate 3 to 10 times below AdamW's and a weight decay as much above it.",
)
_choice(
    "soap",
    "SOAP",
    SoapOptions,
    (1e-4, 1e-2),
    9.5,
    "Adam along the eigenvectors of the gradient's correlations. Vyas 2024, arXiv:2409.11321.",
    warn="Keeps about ten times the network's weights in memory; every tenth step is slow. The first step only looks.",
)
_choice(
    "adan",
    "Adan",
    AdanOptions,
    (3e-4, 2e-2),
    4.0,
    "Nesterov's look ahead from the change of gradients. Xie 2022, arXiv:2208.06677.",
)
_choice(
    "mars",
    "MARS",
    MarsOptions,
    (1e-4, 1e-2),
    3.0,
    "AdamW on a gradient whose noise is reduced by its change. Yuan 2024, arXiv:2411.10438.",
    warn="Each weight's gradient is cut to length one, before any clipping that was asked for takes hold.",
)
_choice(
    "sam",
    "SAM",
    SamOptions,
    (1e-4, 1e-2),
    2.0,
    "AdamW on the gradient a little uphill: seeks flat minima. Foret 2021, arXiv:2010.01412.",
    warn=_TWICE,
    passes=2.0,
)
_choice(
    "gsam",
    "GSAM",
    GsamOptions,
    (1e-4, 1e-2),
    2.0,
    "SAM that also closes the gap between both losses. Zhuang 2022, arXiv:2203.08065.",
    warn=_TWICE,
    passes=2.0,
)
_choice(
    "wsam",
    "WSAM",
    WsamOptions,
    (1e-4, 1e-2),
    2.0,
    "SAM with sharpness as a weighted term of its own. Yue 2023, arXiv:2305.15817.",
    warn=_TWICE,
    passes=2.0,
)
_choice(
    "looksam",
    "LookSAM",
    LookSamOptions,
    (1e-4, 1e-2),
    3.0,
    "SAM that looks uphill every few steps and remembers. Liu 2022, arXiv:2203.02714.",
    warn="Not with fp16 and loss scaling; bf16 is fine.",
    passes=1.2,  # at the default of every fifth step
)
_choice(
    "fsam",
    "Friendly SAM",
    FriendlySamOptions,
    (1e-4, 1e-2),
    3.0,
    "SAM whose uphill direction leaves out the mean gradient. Li 2024, arXiv:2403.12350.",
    warn=_TWICE,
    passes=2.0,
)
