"""Which variants a lab keeps, which runs use them, and how they go.

In:    a lab.
Out:   Variant, one a file of stores/derived.
Never: making one; torch.
"""

from dataclasses import dataclass, field
from pathlib import Path

from cxrlab import files, spec, store
from cxrlab.errors import CxrlabError, MissingInput
from cxrlab.paths import Lab
from cxrlab.spec import NetworkSpec
from cxrlab.store import Store
from cxrlab.variants.making import existing, locked
from cxrlab.variants.recipe import KEY_DIGITS, Recipe, recipe_of


@dataclass(frozen=True)
class Variant:
    """One file of stores/derived."""

    name: str  # <site>-<key>
    site: str
    words: str  # what was done
    n_images: int
    n_bytes: int
    fallback_rate: float  # share of images whose lungs were not found; NaN where none were sought
    used_by: tuple[str, ...]  # run ids
    stale: str = ""  # why no new run will use it
    fallback: dict[str, int] = field(default_factory=dict)  # reason → images


def recipe_of_run(lab: Lab, trained: NetworkSpec) -> Recipe | None:
    """Return what is done to the images of a run: a head on latents sees those of its autoencoder.

    From specs alone: without landmarks, which its key does not need. None also where the autoencoder is gone.
    """
    if trained.model.latents_of:
        of = lab.run(trained.model.latents_of)
        if not of.spec.exists():
            return None
        trained = spec.read(of.spec)
    return recipe_of(trained.view, trained.data)


def as_seen(lab: Lab, trained: NetworkSpec, site: Store) -> Store | None:
    """Return the store with the images that the run's network sees; None when that variant is not there (any more)."""
    return existing(lab, site, recipe_of_run(lab, trained))


def users(lab: Lab) -> dict[str, tuple[str, ...]]:
    """Return a variant's name → ids of the runs that train or score on it; runs that cannot be read use none."""
    found: dict[str, list[str]] = {}
    for run_id in lab.run_ids():
        try:
            asked = spec.read(lab.run(run_id).spec)
            trained = spec.read(lab.run(asked.run).spec) if asked.kind == "score" else asked
            recipe = recipe_of_run(lab, trained) if isinstance(trained, NetworkSpec) else None
        except CxrlabError:
            continue
        if recipe is None:
            continue
        for site in asked.sites if asked.kind == "score" else (*asked.view.source, *asked.view.external):
            if digest := asked.data.get(site):
                found.setdefault(lab.derived_store(site, recipe.key(digest)).stem, []).append(run_id)
    return {name: tuple(runs) for name, runs in found.items()}


def listed(lab: Lab) -> list[Variant]:
    """Return every variant of the lab by name; a damaged one is listed as such."""
    used = users(lab)
    return [_variant(lab, path, used.get(path.stem, ())) for path in sorted(lab.derived.glob("*.h5"))]


def _variant(lab: Lab, path: Path, used_by: tuple[str, ...]) -> Variant:
    size = path.stat().st_size
    try:
        there = store.read(path)
        said = there.header.preprocess["derived"]
    except (CxrlabError, KeyError) as error:
        return Variant(path.stem, "", "", 0, size, float("nan"), used_by, f"damaged: {error}")
    rate = said["fallback_rate"]
    return Variant(
        name=path.stem,
        site=there.site,
        words=said["words"],
        n_images=len(there),
        n_bytes=size,
        fallback_rate=float("nan") if rate is None else rate,
        used_by=used_by,
        stale=_stale(lab, there.site, said["from_digest"]),
        fallback=said["fallback"],
    )


def _stale(lab: Lab, site: str, digest: str) -> str:
    try:
        now = store.read(lab.store(site)).digest
    except CxrlabError:
        return f"the site {site} is gone"
    return "" if now == digest else f"the store of {site} has changed since"


def remove(lab: Lab, name: str) -> int:
    """Remove a variant by name and return its bytes; runs keep their predictions and make it again when needed.

    Raises:
        MissingInput: there is none of that name.
        BadInput: it is being made at this moment.
    """
    path = lab.derived_named(name)
    if not path.exists():
        known = ", ".join(p.stem for p in sorted(lab.derived.glob("*.h5")))
        raise MissingInput(f"no variant named {name!r} in {lab.derived}; it has: {known or 'none'}.")
    with locked(path):
        size = path.stat().st_size
        files.remove_parts(path)
        path.unlink(missing_ok=True)
    return size


def remove_of(lab: Lab, site: str) -> int:
    """Remove every variant of a site, with what killed processes left, and return how many there were.

    Raises:
        BadInput: one is being made at this moment.
    """
    names = {path.name.split(".h5")[0] for path in lab.derived.glob(f"{site}-*.h5*")}
    mine = [name for name in sorted(names) if name[: -KEY_DIGITS - 1] == site]
    count = 0
    for name in mine:
        path = lab.derived_named(name)
        with locked(path):
            files.remove_parts(path)
            count += path.exists()
            path.unlink(missing_ok=True)
    return count
