"""A gate that says normal or abnormal, and a disease network for what the gate lets through.

In:    grey images (N, 1, H, W) float32, normalised.
Out:   (N, L) of a gated head: findings given that the image is abnormal, then the gate's own logit.
Never: where the gate is cut (learning/hierarchy.py tunes it), targets, losses.

The two share nothing: either can be any network that classifies. `forward` asks both of every image, as training must;
`ask` is how images are scored, and there the disease network never sees what the gate holds back.
"""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import nn

from cxrlab.choices.networks import HIERARCHICAL, disease_of, gate_of
from cxrlab.errors import BadSpec
from cxrlab.models.base import MODELS, Loaded, Model, Parts, Plan, Shelf
from cxrlab.spec import ModelSpec


class Hierarchical(nn.Module):
    """`gate` and `disease`, each a classifier of its own."""

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        self.plans = plans_of(plan)
        self.gate, self.disease = (MODELS[one.model.name].build(one) for one in self.plans.values())
        first = next(layer for layer in self.gate.head.modules() if isinstance(layer, nn.Linear))
        self.gate_features = first.in_features
        # On the gate's logit, in float32 as it is said; below every logit until it is tuned: nothing is held back.
        self.register_buffer("cut", torch.tensor(-torch.inf))

    def embed(self, x: torch.Tensor) -> torch.Tensor:
        """Return (N, features) of (N, 1, H, W): the disease network's, then the gate's."""
        return torch.cat([self.disease.embed(x), self.gate.embed(x)], dim=1)

    def head(self, features: torch.Tensor) -> torch.Tensor:
        """Return (N, L) of what `embed` returned."""
        at = features.shape[1] - self.gate_features
        return torch.cat([self.disease.head(features[:, :at]), self.gate.head(features[:, at:])], dim=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return (N, L) of (N, 1, H, W); the last is the gate's."""
        return torch.cat([self.disease(x), self.gate(x)], dim=1)

    def passes(self, gate: torch.Tensor) -> torch.Tensor:
        """Return (N,) bool, whether the gate's logits (N,) let the image through."""
        return gate >= self.cut


def plans_of(plan: Plan) -> dict[str, Plan]:
    """Return what "gate" and "disease" are built for.

    Raises:
        BadSpec: no finding beside the gate's answer, three numbers a label, or several heads.
    """
    if plan.n_labels < 2 or plan.head == "three-way" or plan.n_heads > 1:
        raise BadSpec(
            "a gate with a disease network behind it says one number of each label and of one finding at least; leave "
            "strategy.heads at 'shared' and choose another policy than 'multiclass'."
        )
    return {
        "gate": replace(plan, model=gate_of(plan.model), n_labels=1, head="binary"),
        "disease": replace(plan, model=disease_of(plan.model), n_labels=plan.n_labels - 1, head="binary"),
    }


def _load(net: Hierarchical, model: ModelSpec, shelf: Shelf | None) -> Loaded:
    wanted = disease_of(model)
    plug_in = MODELS[wanted.name]
    if plug_in.load is None:
        raise BadSpec(
            f"the disease network {wanted.name!r} takes no first weights ({model.weights!r} was asked); use weights 'none'."
        )
    loaded = plug_in.load(net.disease, wanted, shelf)
    # The plug-in that is asked for the weights' grey values is this one, which cannot know them.
    return loaded if loaded.mean is not None else replace(loaded, mean=plug_in.grey[0], std=plug_in.grey[1])


def _layers(net: Hierarchical) -> Sequence[str]:
    return tuple(
        f"disease.{name}" for name in MODELS[net.plans["disease"].model.name].cam_layers(net.disease)
    )


def _parts(net: Hierarchical) -> Parts:
    """Return both networks' parts side by side, their last blocks together."""
    gate, disease = (MODELS[plan.model.name].parts(getattr(net, which)) for which, plan in net.plans.items())

    def under(prefix: str, names: Sequence[str]) -> tuple[str, ...]:
        return tuple(f"{prefix}.{name}" for name in names)

    last = (*under("gate", gate.last_block), *under("disease", disease.last_block))
    return Parts(
        stem=(*under("gate", gate.stem), *under("disease", disease.stem)),
        blocks=(
            *(under("gate", block) for block in gate.blocks[:-1]),
            *(under("disease", block) for block in disease.blocks[:-1]),
            last,
        ),
        head=(*under("gate", gate.head), *under("disease", disease.head), "cut"),
    )


MODELS.add(HIERARCHICAL)(
    Model(
        name=HIERARCHICAL,
        tasks=("labels",),
        build=Hierarchical,
        cam_layers=_layers,
        load=_load,
        parts=_parts,
        gated=True,
    )
)
