"""Normal or abnormal from an autoencoder's latents.

In:    latents (N, inputs) float32 in (-1, 1).
Out:   (N, L) logits, or (N, 3L) of a three-way head; as many times over as there are heads.
Never: images; the autoencoder itself (whoever calls reads its run).
"""

from torch import nn

from cxrlab.models.base import MODELS, Model, Parts, Plan


def _build(plan: Plan) -> nn.Sequential:
    return nn.Sequential(nn.Linear(plan.inputs, 64), nn.ReLU(), nn.Dropout(0.3), nn.Linear(64, plan.width))


MODELS.add("latent_head")(
    Model(
        name="latent_head",
        tasks=("normal",),
        build=_build,
        parts=lambda _: Parts(stem=(), blocks=(("0",),), head=("3",)),
        why_no_map="it sees latents, which have no place in the image.",
    )
)
