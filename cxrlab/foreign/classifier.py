"""A classifier from elsewhere becomes a run: its network, whole with its head, frozen as if it had been trained here.

In:    a lab, a file of weights, what a person says of it.
Out:   a BroughtSpec and its checkpoint.safetensors; scores are made by the run's job, as any run's.
Never: streamlit; a network that did not load whole; a claim about rows that it may have been trained on.
"""

import contextlib
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from cxrlab import checkpoint, files
from cxrlab import spec as specs
from cxrlab.checkpoint import Checkpoint, Selection
from cxrlab.choices import fitting
from cxrlab.choices.networks import CHOICES, FREE, TIMM
from cxrlab.errors import BadInput, BadRun, BadSpec, MissingInput
from cxrlab.facts.run_facts import flat
from cxrlab.foreign import outputs
from cxrlab.inputs import InputSpec
from cxrlab.jobs import request, state
from cxrlab.models import firsts, foreign, weightfile
from cxrlab.models.base import Loaded
from cxrlab.paths import Lab, RunPaths

RULE = "imported"  # Selection.rule: who chose these weights, and by what, is not known here
IMAGE_PX = 224


@dataclass(frozen=True)
class Said:
    """What a person says of a file; what is left at its default was not said. See the verb import-checkpoint."""

    network: str = ""
    labels: tuple[str, ...] = ()
    site: str = ""
    name: str = ""
    image_px: int = 0
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    colours: foreign.Colours = "auto"
    softmax: bool = False
    official_split: bool = False
    licence: str = ""
    allow_noncommercial: bool = False


@dataclass(frozen=True)
class Brought:
    """A file that was read whole, not yet written anywhere."""

    spec: specs.BroughtSpec
    made: Checkpoint = field(repr=False)
    notes: tuple[str, ...] = ()


def read(lab: Lab, path: Path, said: Said) -> Brought:
    """Read a file and check everything about it; nothing is written.

    Args:
        lab: where said.site lies.
        path: .safetensors, or one of torch's with tensors alone; or a checkpoint of a cxrlab, which says most itself.
        said: what a person says of it.

    Raises:
        MissingInput: no such file, or no such site.
        BadInput: the file is damaged, holds more than tensors, or is not the network whole; the labels do not fit.
        UnknownName, BadSpec: no such network, or its licence is not free and was not allowed.
    """
    if not path.is_file():
        raise MissingInput(f"no file at {path}; name the weights: a .safetensors file, or one of torch's.")
    given = weightfile.read(path)
    found = _ours(lab, path, given, said) if given.ours else _theirs(path, given, said)
    spec = request.complete(lab, found.spec)
    if not isinstance(spec, specs.BroughtSpec):
        raise BadSpec(f"{path.name} made a spec of the kind {spec.kind!r}; expected 'brought'.")
    made = replace(found.made, spec=spec, stores=dict(spec.data))
    notes = list(found.notes)
    if spec.view.source and not given.ours:
        notes.append(
            f"thresholds are tuned on {spec.view.source[0]}'s validation rows and gaps are to its test rows: whether it was "
            "trained on some of them, this lab cannot know"
        )
    elif not spec.view.source:
        notes.append(
            "without a home (--site) there are no thresholds, no gaps and no heatmaps of failures, and nobody can say whether a "
            "site is new to it"
        )
    return Brought(spec, made, tuple(notes))


def enlarged(lab: Lab, found: Brought, sites: tuple[str, ...]) -> tuple[str, ...]:
    """Return a sentence for each site whose images are stored smaller than the network is to see them."""
    px = found.spec.view.image_px
    sides = {site: min(request.open_store(lab, site).image_shape) for site in sites}
    return tuple(
        f"{site} is stored at {side} px and enlarged to {px}: blurred, unlike what it was trained on"
        for site, side in sides.items()
        if side < px
    )


def place(lab: Lab, found: Brought) -> bool:
    """Write the checkpoint into the run's folder, whole or not at all; return whether the same was there already.

    Raises:
        BadRun: another file, or the same one read otherwise, has that name.
    """
    run = lab.run(found.spec.run_id)
    with _held(run):
        if run.spec.exists():
            known = specs.read(run.spec)
            if known != found.spec:
                raise BadRun(
                    f"{run.run_id} is there and differs in {_differing(known, found.spec)}; give this one another --name, or "
                    f"remove that run: python -m cxrlab runs rm {run.run_id}."
                )
            if run.checkpoint.exists():
                return True
        checkpoint.write(run.checkpoint, found.made)
    return False


@contextlib.contextmanager
def _held(run: RunPaths) -> Iterator[None]:
    """Hold the run; when nothing came of a new one, its folder goes again."""
    with state.locked(run):
        try:
            yield
        except BaseException:
            if not run.spec.exists() and not run.checkpoint.exists():
                run.lock.unlink(missing_ok=True)
                with contextlib.suppress(OSError):  # somebody else's file: not ours to remove
                    run.folder.rmdir()
            raise


def _differing(known: Any, new: Any) -> str:
    before, now = (flat(spec.model_dump(mode="json")) for spec in (known, new))
    names = [name for name in {**before, **now} if before.get(name) != now.get(name)]
    return (
        ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "") or "its home's store"
    )


# Somebody else's file --------------------------------------------------------------------------------------------


def _theirs(path: Path, given: weightfile.Given, said: Said) -> Brought:
    if not said.network or not said.labels:
        raise BadInput(
            f"{path.name} does not say which network it is of, nor what its outputs are; say --network and --labels."
        )
    labels = outputs.labels_of(said.labels)
    if said.softmax and len(labels) != 2:
        raise BadInput(
            f"--softmax is for two outputs, and {len(labels)} are named: of more, no single one is a finding's own logit. "
            "Import the scores instead: `python -m cxrlab import-scores`."
        )
    model = fitting.settled_model(specs.ModelSpec(name=said.network, weights=path.name))
    licence = _licence(path, given, said)
    px = said.image_px or IMAGE_PX
    wish = foreign.Wish(
        tuple(label is not None for label in labels), said.softmax, said.colours, said.mean, said.std
    )
    whole = foreign.load(model, px, given.tensors, path.name, wish)
    notes = list(whole.notes)
    if len(labels) == 2 and not said.softmax:
        notes.append(
            "two outputs, each taken for a finding of its own; were they trained as one softmax, say --softmax"
        )
    file = specs.BroughtFile(
        name=path.name, digest=given.digest, licence=licence, loaded=whole.counts.loaded,
        unexpected=whole.counts.unexpected, outputs=said.labels, softmax=said.softmax, mean=whole.mean, std=whole.std,
    )  # fmt: skip
    named = tuple(label for label in labels if label is not None)
    view = {"labels": named, "image_px": px, "source": tuple(filter(None, (said.site,))), "official_split": said.official_split}  # fmt: skip
    spec = _spec(path, said, file=file, view=view, model=whole.model)
    made = Checkpoint(
        spec=spec,
        input=InputSpec(px, *whole.grey),
        labels=named,
        selection=Selection(RULE, math.nan, 0, 0),
        log_pos_weight=(0.0,) * len(named),
        stores={},
        weights=Loaded(path.name, file.loaded, 0, file.unexpected, licence, given.digest, *whole.grey),
        tensors=whole.net.state_dict(),
    )
    return Brought(spec, made, tuple(notes))


def _licence(path: Path, given: weightfile.Given, said: Said) -> str:
    network = said.network.removeprefix(TIMM)
    tag = CHOICES[said.network].tag if said.network in CHOICES else network
    licence = said.licence or firsts.licence_of_file(given, path, tag)
    if licence and licence.lower() not in FREE and not said.allow_noncommercial:
        raise BadSpec(
            f"{path.name} is under {licence}, which is not free for every use; say --allow-noncommercial where that licence "
            "allows your use, or --licence with the one that it is under."
        )
    return licence


def _spec(path: Path, said: Said, **fields: Any) -> specs.BroughtSpec:
    name = re.sub(r"[^a-z0-9.-]+", "-", (said.name or path.stem).lower()).strip("-.").removeprefix("brought-")
    files.check_name(f"brought-{name}", "run")
    spec = specs.build({"kind": "brought", "name": name, **fields})
    if not isinstance(spec, specs.BroughtSpec):
        raise BadSpec(f"{path.name} made a spec of the kind {spec.kind!r}; expected 'brought'.")
    return spec


# A checkpoint of a cxrlab, of this lab or another ----------------------------------------------------------------


def _ours(lab: Lab, path: Path, given: weightfile.Given, said: Said) -> Brought:
    if "spec" not in given.ours:
        raise BadInput(
            f"{path.name} is the state of a training that has not ended; finish it and import its checkpoint.safetensors."
        )
    made = checkpoint.read(path)
    trained = made.spec
    _check_ours(path, made, said)
    source, notes = _home_of(lab, made, said)
    view = trained.view.model_dump() | {"source": source, "external": (), "allow_overlap": False}
    named = trained.view.labels
    licence = made.weights.licence
    if licence and licence.lower() not in FREE and not said.allow_noncommercial:
        raise BadSpec(
            f"{path.name} began with weights under {licence}, which is not free for every use; say --allow-noncommercial where "
            "that licence allows your use."
        )
    n = len(made.tensors)
    file = specs.BroughtFile(
        name=path.name, digest=given.digest, licence=licence or said.licence, loaded=n, outputs=named,
        trained_as=trained.run_id,
    )  # fmt: skip
    site = {"seed": trained.seed, "maps_per_group": trained.maps_per_group, "task": trained.task}
    data = {name: digest for name, digest in made.stores.items() if name not in source}
    spec = _spec(path, said, file=file, view=view, model=trained.model, data=data, **site)
    kept = [name for name in data if name not in trained.view.source or not source]
    if kept:
        notes.append(
            f"it has seen {', '.join(kept)}; a site of this lab by such a name is no external site of it"
        )
    weights = replace(made.weights, licence=file.licence)
    return Brought(spec, replace(made, spec=spec, weights=weights), tuple(notes))


def _check_ours(path: Path, made: Checkpoint, said: Said) -> None:
    trained = made.spec
    if trained.task not in ("labels", "normal") or trained.model.latents_of:
        what = (
            "reads another run's latents" if trained.model.latents_of else f"is of the task {trained.task!r}"
        )
        raise BadInput(
            f"{path.name} is no whole classifier: it {what}. Copy the folders of its runs and their stores into this lab."
        )
    if trained.view.preprocess.contrast == "nyul":
        raise BadInput(
            f"{path.name} sees images standardised to those of its home; copy its run's folder and its home's store into this "
            "lab instead."
        )
    if said.network and said.network != trained.model.name:
        raise BadInput(
            f"{path.name} says that it is the network {trained.model.name!r}, not {said.network!r}; leave --network out."
        )
    if said.labels and outputs.labels_of(said.labels) != tuple(trained.view.labels):
        raise BadInput(
            f"{path.name} says that it answers {', '.join(trained.view.labels)}; leave --labels out, it is a checkpoint of a "
            "cxrlab."
        )
    asked = {
        "--image-px": said.image_px not in (0, trained.view.image_px), "--mean": said.mean, "--std": said.std,
        "--colours": said.colours != "auto", "--softmax": said.softmax, "--official-split": said.official_split,
    }  # fmt: skip
    if odd := [name for name, is_said in asked.items() if is_said]:
        raise BadInput(
            f"{path.name} is a checkpoint of a cxrlab and says this itself; leave {', '.join(odd)} out."
        )


def _home_of(lab: Lab, made: Checkpoint, said: Said) -> tuple[tuple[str, ...], list[str]]:
    """Return the site that the person calls home; else its own homes, where this lab holds the very same stores."""
    if said.site:
        now = request.open_store(lab, said.site).digest
        then = made.stores.get(said.site)
        if then == now:
            return (said.site,), []
        note = f"the store of {said.site} is another than it was trained on; its rows are divided by the same rule"
        if then is None:
            there = ", ".join(made.spec.view.source) or "a site that is not known"
            note = f"it was trained at {there}; were those rows {said.site}'s test rows here, its numbers at home would flatter it"
        return (said.site,), [note]
    own = made.spec.view.source
    held = [site for site in own if lab.store(site).exists()]
    same = [site for site in held if request.open_store(lab, site).digest == made.stores.get(site)]
    return (own, []) if own and same == list(own) else ((), [])
