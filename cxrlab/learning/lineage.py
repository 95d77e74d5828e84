"""What a run builds on: the run it starts from, and every site that was seen on the way there.

In:    a TrainSpec; the specs and checkpoints of the runs that it names.
Out:   the digest of the start, the sites seen before; one sentence for every misfit.
Never: torch, pixels; weights (learning/starting.py).

A network that goes on from another has seen the other's home: there it is scored by split, and it is never external.
"""

from collections.abc import Iterator

from cxrlab import files
from cxrlab import spec as specs
from cxrlab.errors import BadSpec, MissingInput
from cxrlab.paths import Lab
from cxrlab.spec import NetworkSpec, TrainSpec

# What a run has as the one that it goes on from, group and field: `check_fit` asks, and a form can set it so.
ALIKE = (
    ("model", "name"), ("model", "colours"), ("model", "latents_of"), ("view", "image_px"), ("view", "preprocess"),
    ("view", "official_split"),
)  # fmt: skip
LATENT = ("model", "latent_units")  # of an autoencoder


def data_key(spec: TrainSpec) -> str:
    """Return the key under which spec.data keeps the digest of the checkpoint that the run starts from."""
    return f"start:{spec.strategy.start_from}"


def needs(spec: TrainSpec) -> tuple[str, ...]:
    """Return the runs that must have ended before `spec` can begin: its start, its autoencoder, its teacher."""
    return tuple(filter(None, (spec.strategy.start_from, spec.model.latents_of, spec.teacher)))


def seen_sites(spec: NetworkSpec) -> tuple[str, ...]:
    """Return the sites that a submitted run's network has seen: its home first, then what spec.data tells of before."""
    before = (
        site for site in spec.data if ":" not in site and site not in (*spec.view.source, *spec.view.external)
    )
    return (*spec.view.source, *before)


def seen_before(lab: Lab, spec: NetworkSpec) -> dict[str, str]:
    """Return site → its store's digest ("" where nobody noted it), of the sites that networks below were trained on.

    They are the homes of the run it starts from and of its autoencoder, of the runs that those began with, and so on. A
    run that is gone, or yet to be made, tells nothing.
    """
    found: dict[str, str] = {}
    for known in _below(lab, spec, set()):
        for site in seen_sites(known):
            found.setdefault(site, known.data.get(site, ""))
    return {site: digest for site, digest in found.items() if site not in spec.view.source}


def _below(lab: Lab, spec: NetworkSpec, met: set[str]) -> Iterator[NetworkSpec]:
    if not isinstance(spec, TrainSpec):
        return  # what a network from elsewhere began with, nobody here knows
    for run_id in filter(None, (spec.strategy.start_from, spec.model.latents_of)):
        if run_id in met or not lab.run(run_id).spec.exists():
            continue
        met.add(run_id)
        known = specs.read(lab.run(run_id).spec)
        if isinstance(known, NetworkSpec):
            yield known
            yield from _below(lab, known, met)


def check(lab: Lab, spec: TrainSpec) -> NetworkSpec:
    """Return the spec of the run that `spec` starts from.

    Raises:
        MissingInput: there is no such run, or it has not finished.
        BadSpec: it is no training run, or does not fit: see `check_fit`.
    """
    run_id = spec.strategy.start_from
    run = lab.run(run_id)
    if not run.spec.exists():
        raise MissingInput(f"no run named {run_id!r} to start from; `python -m cxrlab runs` lists them.")
    known = specs.read(run.spec)
    if not isinstance(known, NetworkSpec):
        raise BadSpec(f"{run_id!r} is no training run, so it has no network to start from; name one.")
    check_fit(known, spec)
    if not run.checkpoint.exists():
        raise MissingInput(
            f"the run {run_id!r} to start from has no finished checkpoint; train or resume it first."
        )
    return known


def check_fit(known: NetworkSpec, spec: TrainSpec) -> None:
    """Raise BadSpec unless a run of `spec` can go on from the network of `known`."""
    run_id, wanted = spec.strategy.start_from, spec.model
    if known.model.name != wanted.name:
        raise BadSpec(
            f"{run_id!r} holds the network {known.model.name!r} and this run asks for {wanted.name!r}; "
            "ask for the same network to start from it."
        )
    for field, title in (("latents_of", "on latents of"), ("latent_units", "latent units")):
        was, now = getattr(known.model, field), getattr(wanted, field)
        if was != now and (field == "latents_of" or spec.task == "autoencoder"):
            raise BadSpec(f"{run_id!r} has {title} {was!r} and this run {now!r}; set it as in that run.")
    if known.model.colours != wanted.colours:
        raise BadSpec(
            f"{run_id!r} takes the image in {known.model.colours} colours and this run in {wanted.colours}; set "
            "model.colours as in that run."
        )
    if known.view.image_px != spec.view.image_px or known.view.preprocess != spec.view.preprocess:
        raise BadSpec(
            f"{run_id!r} saw images of {known.view.image_px} px, prepared as {known.view.preprocess}; this run asks for "
            f"{spec.view.image_px} px, prepared as {spec.view.preprocess}. Set the group 'Images' and the side as in that run."
        )
    if known.view.source and known.view.official_split != spec.view.official_split:
        raise BadSpec(
            f"{run_id!r} was trained on another split of its home, so it may have seen rows that this run would test on; set "
            "'Official split' as in that run."
        )


def check_unseen(lab: Lab, spec: TrainSpec) -> None:
    """Raise BadSpec when a site that `spec` calls external was seen by a run that it builds on."""
    before = seen_before(lab, spec)
    again = [site for site in spec.view.external if site in before]
    if again:
        on = " and ".join(filter(None, (spec.strategy.start_from, spec.model.latents_of)))
        raise BadSpec(
            f"{', '.join(again)} cannot be external: {on}, which this run builds on, was trained there, or began with a run "
            "that was. Leave it out; the run can be scored there afterwards, and then by split."
        )


def digest(lab: Lab, spec: TrainSpec) -> str:
    """Return the digest of the checkpoint that `spec` starts from: with another, the run is another run."""
    return files.digest_of(lab.run(spec.strategy.start_from).checkpoint.read_bytes())
