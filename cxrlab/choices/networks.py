"""The networks that a run can name: what a form asks, what each costs, whose weights it can start from.

In:    nothing.
Out:   CHOICES, a NetworkChoice a network; `why_not`, one sentence for what cannot be.
Never: torch, timm; the networks themselves (models/).

Tags of hub weights are pinned: timm's default tag of a name moves between releases, and with it at times the licence.
Licences, statistics, parameters and operations are timm's; tests/models compare every number here with the network.
"""

from dataclasses import dataclass

from cxrlab.choices import Choice
from cxrlab.choices.network_options import HierarchicalOptions
from cxrlab.errors import BadSpec
from cxrlab.registry import Registry
from cxrlab.spec.parts import Frozen, ModelSpec

# Any network of timm can be named too, as timm:NAME or timm:NAME.TAG.
TIMM = "timm:"
# A gate, then a disease network for what it lets through; a run of it also says "Abnormal".
HIERARCHICAL = "hierarchical"
# Grey ImageNet statistics: what most pretrained weights saw, were their three channels one.
IMAGENET_GREY = (0.449, 0.226)
# Free for any use, with attribution at most. What is not listed here, or not stated at all, has to be allowed by hand.
FREE = ("apache-2.0", "bsd-3-clause", "mit", "cc-by-4.0")
CLASSIFIES = ("labels", "normal", "moco")  # what a network with a backbone and a head does


@dataclass(frozen=True, kw_only=True)
class NetworkChoice(Choice):
    """A network as a form sees it, with what it costs."""

    tasks: tuple[str, ...] = CLASSIFIES
    millions: float = 0.0  # parameters, 14 labels; 0: depends on the spec
    gflop: float = 0.0  # one forward pass at 224 px, 2 × multiply-adds; 0: depends on the spec
    tag: str = ""  # of the pinned hub weights, timm's NAME.TAG; "": it takes no first weights
    licence: str = ""  # of those weights
    grey: tuple[float, float] = IMAGENET_GREY  # mean and deviation that those weights expect
    multiple: int = 1  # sides that this does not divide are stretched up to the next that it does

    @property
    def is_free(self) -> bool:
        """Whether its hub weights may be used for anything."""
        return self.licence in FREE


CHOICES: Registry[NetworkChoice] = Registry("network")


def _timm(
    name: str,
    title: str,
    tag: str,
    licence: str,
    costs: tuple[float, float],
    sentence: str,
    grey: tuple[float, float] = IMAGENET_GREY,
    multiple: int = 1,
) -> None:
    millions, gflop = costs
    mine = licence in FREE
    cost = f"{millions:.1f} M parameters, {gflop:.1f} GFLOP at 224 px"
    CHOICES.add(name)(
        NetworkChoice(
            name=name,
            title=title,
            sentence=f"{sentence} {cost}. Hub weights {tag}: {licence}{'' if mine else ', non-commercial'}.",
            warn=""
            if mine
            else f"Its weights are {licence}: not for commercial use, refused unless allowed.",
            tag=tag,
            licence=licence,
            millions=millions,
            gflop=gflop,
            grey=grey,
            multiple=multiple,
        )
    )


_HALF = (0.5, 0.5)
_timm("densenet121", "DenseNet-121", "densenet121.tv_in1k", "apache-2.0", (7.0, 5.5),
      "Every layer sees all before it; the study's default, and most published chest models'.")  # fmt: skip
_timm("densenet161", "DenseNet-161", "densenet161.tv_in1k", "apache-2.0", (26.5, 15.2),
      "The wide DenseNet.")  # fmt: skip
_timm("resnet18", "ResNet-18", "resnet18.tv_in1k", "bsd-3-clause", (11.2, 3.5),
      "About twice as fast as DenseNet-121.")  # fmt: skip
CHOICES.add("resnet18_grey")(
    NetworkChoice(
        name="resnet18_grey",
        title="ResNet-18, averaged kernel",
        sentence="ResNet-18 whose first kernel is the average of the three colours' instead of their sum; without "
        "first weights the same as ResNet-18. 11.2 M parameters, 3.5 GFLOP at 224 px. "
        "Hub weights resnet18.tv_in1k: bsd-3-clause.",
        tag="resnet18.tv_in1k",
        licence="bsd-3-clause",
        millions=11.2,
        gflop=3.5,
    )
)
CHOICES.add("resnet18_small")(
    NetworkChoice(
        name="resnet18_small",
        title="ResNet-18, small images",
        sentence="ResNet-18 whose stem keeps every pixel, for 28 to 64 px, where ResNet-18's own leaves its last layer "
        "one to four places; thirteen times its operations. 11.2 M parameters, 0.9 GFLOP at 28 px.",
        warn="Takes no first weights: published ones belong to the other stem.",
        millions=11.2,
        gflop=54.3,
    )
)
_timm("resnet50", "ResNet-50", "resnet50.a1_in1k", "apache-2.0", (23.5, 8.0),
      "The common yardstick.")  # fmt: skip
_timm("resnet101", "ResNet-101", "resnet101.a1_in1k", "apache-2.0", (42.5, 15.4),
      "ResNet-50 with twice the depth.")  # fmt: skip
_timm("seresnet50", "SE-ResNet-50", "seresnet50.ra2_in1k", "apache-2.0", (26.1, 8.0),
      "ResNet-50 that weighs its channels by the whole image.")  # fmt: skip
_timm("resnext101", "ResNeXt-101 32x8d", "resnext101_32x8d.tv2_in1k", "bsd-3-clause", (86.8, 32.7),
      "Grouped convolutions; the largest here.")  # fmt: skip
_timm("convnext_small", "ConvNeXt-S", "convnext_small.fb_in22k_ft_in1k", "apache-2.0", (49.5, 17.3),
      "Convolutions in the manner of a transformer.")  # fmt: skip
_timm("convnextv2_tiny", "ConvNeXt V2-T", "convnextv2_tiny.fcmae_ft_in22k_in1k", "cc-by-nc-4.0", (27.9, 8.9),
      "ConvNeXt pretrained by filling in masked patches.")  # fmt: skip
_timm("efficientnetv2_s", "EfficientNetV2-S", "tf_efficientnetv2_s.in21k_ft_in1k", "apache-2.0", (20.2, 5.7),
      "Searched for accuracy a second of training.", _HALF)  # fmt: skip
_timm("efficientnet_b0", "EfficientNet-B0", "efficientnet_b0.ra_in1k", "apache-2.0", (4.0, 0.8),
      "Few parameters, few operations.")  # fmt: skip
_timm("efficientnet_b4", "EfficientNet-B4", "efficientnet_b4.ra2_in1k", "apache-2.0", (17.6, 3.0),
      "EfficientNet-B0 scaled up; made for 320 px.")  # fmt: skip
_timm("mobilenetv3_large", "MobileNetV3-Large", "mobilenetv3_large_100.ra_in1k", "apache-2.0", (4.2, 0.4),
      "The least operations here.")  # fmt: skip
_timm("tresnet_m", "TResNet-M", "tresnet_m.miil_in21k_ft_in1k", "apache-2.0", (29.3, 11.4),
      "A ResNet for GPU throughput; nearest to the studies' TResNet-50.", (0.0, 1.0), multiple=4)  # fmt: skip
_timm("repvgg_b0", "RepVGG-B0", "repvgg_b0.rvgg_in1k", "mit", (14.6, 6.8),
      "Branches in training that fuse into plain convolutions; timed fused.")  # fmt: skip
_timm("regnety_4gf", "RegNetY-4GF", "regnety_040.ra3_in1k", "apache-2.0", (19.6, 7.9),
      "From a design space of regular widths.")  # fmt: skip
_timm("xception", "Xception", "legacy_xception.tf_in1k", "apache-2.0", (20.8, 9.1),
      "Depthwise separable convolutions; made for 299 px.", _HALF)  # fmt: skip
_timm("dpn68b", "DPN-68b", "dpn68b.ra_in1k", "apache-2.0", (11.8, 4.7),
      "Residual and dense paths side by side.")  # fmt: skip
_timm("dpn92", "DPN-92", "dpn92.mx_in1k", "apache-2.0", (35.0, 12.8),
      "The larger dual-path network.", (0.451, 0.235))  # fmt: skip
_timm("vit_b16", "ViT-B/16", "vit_base_patch16_224.augreg2_in21k_ft_in1k", "apache-2.0", (85.4, 35.0),
      "A transformer on patches of 16 px; wants first weights, and 224 px.", _HALF, multiple=16)  # fmt: skip


def _own(name: str, title: str, sentence: str, tasks: tuple[str, ...] = CLASSIFIES) -> None:
    CHOICES.add(name)(NetworkChoice(name=name, title=title, sentence=sentence, tasks=tasks))


_own("small_cnn", "Small CNN", "Four convolution blocks, for quick runs on 28 to 96 px.")
_own(
    "small_cnn3",
    "Small CNN, three blocks",
    "Three convolution blocks and a hidden layer with dropout, for grey images of 64 px.",
)
_own(
    "autoencoder",
    "Autoencoder",
    "Convolutional autoencoder with a tanh bottleneck; gives reconstruction errors and latents.",
    ("autoencoder",),
)
_own(
    "latent_head",
    "Head on latents",
    "Two-layer perceptron on the latents of a finished autoencoder run.",
    ("normal",),
)
CHOICES.add(HIERARCHICAL)(
    NetworkChoice(
        name=HIERARCHICAL,
        title="Hierarchical",
        sentence="A small gate says normal or abnormal; a disease network looks at what the gate lets through, and at "
        "nothing else when images are scored. Both are trained together. Chen 2019, PMLR 102:109.",
        options=HierarchicalOptions,
        tasks=("labels",),
    )
)


def known(name: str) -> bool:
    """Return whether a run may name this network; of timm's other networks only timm knows which there are."""
    return name in set(CHOICES) or (name.startswith(TIMM) and len(name) > len(TIMM))


def licence_problem(tag: str, licence: str, allowed: bool) -> str:
    """Return why weights under `licence` are refused, one sentence; "" when they are not.

    >>> licence_problem("x.y", "mit", False), licence_problem("x.y", "cc-by-nc-4.0", True)
    ('', '')
    """
    if allowed or licence in FREE:
        return ""
    stated = f"under {licence}, which is not free for every use" if licence else "under no stated licence"
    return (
        f"the weights {tag} are {stated}; set model.allow_noncommercial where that licence allows your use, or start "
        "from weights 'none' or from another network."
    )


def why_not(model: ModelSpec, task: str) -> str:
    """Return why `model` cannot be built for `task`, one sentence; "" when nothing here speaks against it."""
    if not known(model.name):
        return f"no network named {model.name!r}. Known: {', '.join(CHOICES)}, and timm:NAME."
    try:
        options_of(model)
    except BadSpec as error:
        return str(error)
    if model.name not in CHOICES:
        return (
            ""
            if task in CLASSIFIES
            else f"the network {model.name!r} classifies; the task {task!r} does not."
        )
    choice = CHOICES[model.name]
    if task not in choice.tasks:
        return (
            f"the network {model.name!r} does not do the task {task!r}; it does: {', '.join(choice.tasks)}."
        )
    if is_gated(model):
        return _gated_why_not(model, task)
    if model.colours == 3 and not choice.tag:
        return f"the network {model.name!r} takes one grey channel; leave model.colours at 1."
    if model.weights != "none" and not choice.tag:
        return f"the network {model.name!r} takes no first weights ({model.weights!r} was asked); use weights 'none'."
    return licence_problem(choice.tag, choice.licence, model.allow_noncommercial or model.weights != "hub")


def options_of(model: ModelSpec) -> Frozen:
    """Return the network's own options, checked; timm's other networks have none.

    Raises:
        BadSpec: an option is unknown or out of range.
    """
    choice = CHOICES[model.name] if model.name in CHOICES else Choice(model.name, model.name, "")
    return choice.read(model.options)


def is_gated(model: ModelSpec) -> bool:
    """Return whether a gate stands before the network."""
    return model.name == HIERARCHICAL


def gate_of(model: ModelSpec) -> ModelSpec:
    """Return the gate of a hierarchical network; it starts from random weights."""
    return ModelSpec(name=options_of(model).gate)


def disease_of(model: ModelSpec) -> ModelSpec:
    """Return what lies behind the gate; first weights are its own."""
    return model.model_copy(update={"name": options_of(model).disease, "options": {}})


def _gated_why_not(model: ModelSpec, task: str) -> str:
    for part, what in ((gate_of(model), "gate"), (disease_of(model), "disease network")):
        inside = "it has a gate itself." if is_gated(part) else why_not(part, task)
        if inside:
            return f"the {what} cannot be {part.name!r}: {inside}"
    return ""
