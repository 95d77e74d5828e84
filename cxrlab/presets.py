"""What "demo", "quick" and "full" mean for each task: sizes, networks and training values, measured, in one place.

In:    a preset's and a task's name.
Out:   plain dicts of fields for ViewSpec, ModelSpec and TrainingSpec; one sentence a network.
Never: torch, files, the names of sites.
"""

from typing import Any

from cxrlab.choices.networks import CHOICES
from cxrlab.errors import UnknownName

# "normal-latents" is the task "normal" on the network "latent_head"; whoever plans it fills in model.latents_of.
TASKS = ("labels", "autoencoder", "normal", "normal-latents")

PRETRAINING = "moco"  # no study's task: it is asked for by itself, and another run goes on from it

# For forms: a sentence a network, and the networks that each task can use, the default first.
NETWORKS: dict[str, str] = {name: choice.sentence for name, choice in CHOICES.items()}
NETWORKS_OF: dict[str, tuple[str, ...]] = {
    task: tuple(name for name, choice in CHOICES.items() if task in choice.tasks)
    for task in ("labels", "normal", "autoencoder", "moco")
}

_LATENT_HEAD = {"epochs": 60, "batch": 64, "learning_rate": 2e-3, "patience": 15, "augment": "none"}


def _autoencoder(epochs: int, patience: int) -> dict[str, Any]:
    return {
        "epochs": epochs,
        "batch": 32,
        "learning_rate": 1e-3,
        "weight_decay": 0.0,
        "optimizer": "adam",
        "patience": patience,
        "augment": "none",
    }


_PRESETS: dict[str, dict[str, dict[str, Any]]] = {
    # About 1,100 training images on 2 cores: 70 s for all four where the processor multiplies bf16, 105 s elsewhere.
    "demo": {
        "labels": {
            "view": {"image_px": 64},
            "model": {"name": "densenet121"},
            "training": {"epochs": 12, "batch": 32, "learning_rate": 2e-3, "patience": 12},
        },
        "autoencoder": {
            "view": {"image_px": 64},
            "model": {"name": "autoencoder"},
            "training": _autoencoder(20, 20),
        },
        "normal": {
            "view": {"image_px": 64},
            "model": {"name": "small_cnn"},
            "training": {"epochs": 7, "batch": 32, "learning_rate": 2e-3, "patience": 7},
        },
        "normal-latents": {
            "view": {"image_px": 64},
            "model": {"name": "latent_head"},
            "training": _LATENT_HEAD,
        },
    },
    # Real data on 2 cores: minutes.
    "quick": {
        "labels": {
            "view": {"image_px": 96},
            "model": {"name": "densenet121"},
            "training": {"epochs": 15, "batch": 32, "learning_rate": 1e-3, "patience": 6},
        },
        "autoencoder": {
            "view": {"image_px": 96},
            "model": {"name": "autoencoder"},
            "training": _autoencoder(30, 6),
        },
        "normal": {
            "view": {"image_px": 96},
            "model": {"name": "small_cnn"},
            "training": {"epochs": 15, "batch": 32, "learning_rate": 1e-3, "patience": 6},
        },
        "normal-latents": {
            "view": {"image_px": 96},
            "model": {"name": "latent_head"},
            "training": _LATENT_HEAD,
        },
    },
    # A GPU: the sizes of the literature.
    "full": {
        "labels": {
            "view": {"image_px": 224},
            "model": {"name": "densenet121"},
            "training": {"epochs": 50, "batch": 64, "learning_rate": 1e-3, "patience": 10},
        },
        "autoencoder": {
            "view": {"image_px": 224},
            "model": {"name": "autoencoder"},
            "training": _autoencoder(50, 8),
        },
        "normal": {
            "view": {"image_px": 224},
            "model": {"name": "densenet121"},
            "training": {"epochs": 50, "batch": 64, "learning_rate": 1e-3, "patience": 10},
        },
        "normal-latents": {
            "view": {"image_px": 224},
            "model": {"name": "latent_head"},
            "training": _LATENT_HEAD,
        },
    },
}


def training(preset: str, task: str) -> dict[str, dict[str, Any]]:
    """Return {"view": …, "model": …, "training": …}: fresh dicts of spec fields; sites and labels are the caller's.

    Raises:
        UnknownName: no such preset or task.

    >>> training("demo", "autoencoder")["training"]["optimizer"]
    'adam'
    """
    if preset not in _PRESETS:
        raise UnknownName(f"no preset named {preset!r}. Known: {', '.join(_PRESETS)}.")
    if task == PRETRAINING:  # as its classifier is trained, on pairs of strongly changed views
        fields = training(preset, "labels")
        return {**fields, "training": {**fields["training"], "augment": "contrast"}}
    if task not in TASKS:
        raise UnknownName(f"no task named {task!r}. Known: {', '.join(TASKS)}.")
    return {part: dict(fields) for part, fields in _PRESETS[preset][task].items()}
