"""A run in words: what it is, what came out, what it cost.

In:    specs and facts of run folders.
Out:   short texts and tables of text.
Never: streamlit; a unit that is left to be guessed.
"""

from typing import Any

from cxrlab import spec as specs
from cxrlab.choices import networks
from cxrlab.facts import run_facts
from cxrlab.paths import Lab
from cxrlab.sweeps import expand
from cxrlab.ui import cached, words

FORWARD = "Forward pass"
MEGA, GIGA = 1e6, 1e9


def what(spec: Any) -> str:
    """Return what a run is, in a line: so that its name need not be deciphered."""
    if spec.kind == "train":
        return ", ".join(filter(None, (task(spec).capitalize(), network(spec.model.name), f"{spec.view.image_px} px",
                                       f"at {words.listing(spec.view.source)}", f"seed {spec.seed}")))  # fmt: skip
    if spec.kind == "study":
        return f"Whole study at {spec.source}, {spec.preset}"
    if spec.kind == "sweep":
        return f"Sweep of {words.count(expand.count(spec), 'run')}" + (
            f": {spec.title}" if spec.title else ""
        )
    if spec.kind == "score":
        return f"Scores of {spec.run} at {words.listing(spec.sites)}"
    if spec.kind == "import":
        return f"Scores of a model from elsewhere at {words.listing([one.site for one in spec.files])}"
    if spec.kind == "brought":
        return f"Network trained elsewhere: {network(spec.model.name)}, {spec.file.name}"
    return spec.kind.capitalize()


def task(spec: Any) -> str:
    """Return a training run's task in words."""
    if spec.task == "normal" and spec.model.latents_of:
        return words.TASKS["normal-latents"]
    return words.TASKS.get(spec.task, spec.task)


def key_number(run_id: str) -> str:
    """Return the number that a run's weights were chosen by, as its kind is written; "" where there is none."""
    what_it_is, value = run_facts.key_number(Lab.here().run(run_id), cached.run_spec(run_id))
    if not words.is_known(value):
        return ""
    return f"{what_it_is} {words.number(value, 3) if 'AU' in what_it_is else f'{value:.2g}'}"


def network(name: str) -> str:
    """Return a network's title.

    >>> network("densenet121"), network("timm:vgg11")
    ('DenseNet-121', 'timm:vgg11')
    """
    return networks.CHOICES[name].title if name in networks.CHOICES else name


def operations(flops: float) -> str:
    """Return a count of operations with the unit that leaves a readable number.

    >>> operations(54_709_056), operations(5.6e9)
    ('54.7 million', '5.60 billion')
    """
    return f"{flops / GIGA:.2f} billion" if flops >= GIGA else f"{flops / MEGA:.1f} million"


def costs(found: dict[str, Any]) -> dict[str, str]:
    """Return what a run cost, what → value with its unit.

    Args:
        found: run_facts.efficiency, not empty.
    """
    batch = found["inference"]["batch"]
    epoch = found.get("seconds_per_epoch", found["seconds"] / max(found["epochs"], 1))
    return {
        "Parameters": f"{found['parameters']:,}",
        FORWARD: f"{operations(found['forward_flops'])} operations (FLOP) an image",
        "Training": f"{words.duration(found['seconds'])} for {words.count(found['epochs'], 'epoch')}",
        "An epoch": f"{epoch:,.1f} s",
        "Training speed": f"{found['train_images_per_s']:,.0f} images a second",
        "Inference speed": f"{found['inference']['images_per_s']:,.0f} images a second",
        "Inference, usual (p50)": f"{found['inference']['p50_ms']:.1f} ms a batch of {batch}",
        "Inference, slow (p95)": f"{found['inference']['p95_ms']:.1f} ms a batch of {batch}: one in twenty takes longer",
        "Peak memory": f"{words.size(found['peak_memory_bytes'])} ({found['peak_memory_is']})",
    }  # fmt: skip


def taken_on(found: dict[str, Any]) -> str:
    """Say on what the costs were measured, and which of them hold anywhere."""
    processes = found.get("processes", 1)
    several = f" by {processes} processes together" if processes > 1 else ""
    return (
        f"Measured on {found['device']}{several}, trained in {found['training_precision']}. Times, speeds and memory hold for this "
        f"machine and what else it was doing; parameters and operations ({found['flops_are']}) are the network's own."
    )


def cost_row(name: str, found: dict[str, Any]) -> dict[str, str]:
    """Return one run of several as a row: the same numbers, units in the column's name."""
    return {
        "run": name,
        "parameters": f"{found['parameters']:,}",
        "FLOP an image": operations(found["forward_flops"]),
        "an epoch, s": f"{found.get('seconds_per_epoch', found['seconds'] / max(found['epochs'], 1)):,.1f}",
        "trained for": words.duration(found["seconds"]),
        "training, images/s": f"{found['train_images_per_s']:,.0f}",
        "inference, images/s": f"{found['inference']['images_per_s']:,.0f}",
        "p50 / p95, ms a batch": f"{found['inference']['p50_ms']:.1f} / {found['inference']['p95_ms']:.1f}",
        "peak memory": words.size(found["peak_memory_bytes"]),
        "on": found["device"],
    }


def is_training_known(spec: specs.AnySpec) -> bool:
    """Return whether a run was, or will be, trained here: else it has neither curves nor costs."""
    return spec.kind in ("train", "study", "sweep")
