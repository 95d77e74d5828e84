"""Where everything lies: the only room that joins paths inside a lab folder.

In:    CXRLAB_HOME, or a folder.
Out:   paths, each written by exactly one room.
Never: reads or writes what lies there.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from cxrlab import files
from cxrlab.errors import BadInput


@dataclass(frozen=True)
class RunPaths:
    """The files of one run."""

    folder: Path

    @property
    def run_id(self) -> str:
        """The run's name: the folder's."""
        return self.folder.name

    @property
    def spec(self) -> Path:  # written by jobs.submit
        return self.folder / "spec.json"

    @property
    def job(self) -> Path:  # written by jobs: who carries this run out
        return self.folder / "job.json"

    @property
    def lock(self) -> Path:  # held by jobs while they start, stop or remove this run
        return self.folder / "lock"

    @property
    def children(self) -> Path:  # written by a study: task → run id, and why a task was left out
        return self.folder / "children.json"

    @property
    def overlaps(self) -> Path:  # written by jobs.submit: why sites scored as external are not new to home
        return self.folder / "overlaps.json"

    @property
    def lab(self) -> "Lab":
        """The lab that this run lies in."""
        return Lab(self.folder.parent.parent)

    @property
    def log(self) -> Path:  # standard output and error of the job
        return self.folder / "log.txt"

    @property
    def progress(self) -> Path:  # appended by progress.Progress
        return self.folder / "progress.jsonl"

    @property
    def checkpoint(self) -> Path:  # written by checkpoint.write
        return self.folder / "checkpoint.safetensors"

    @property
    def kept(self) -> Path:  # written by train: the best network of a run that broke
        return self.folder / "kept.safetensors"

    @property
    def last(self) -> Path:  # written by train, to resume
        return self.folder / "last.ckpt"

    @property
    def thresholds(self) -> Path:  # written by metrics.thresholds
        return self.folder / "thresholds.json"

    @property
    def efficiency(self) -> Path:  # written by train: parameters, seconds, images/s
        return self.folder / "efficiency.json"

    @property
    def end(self) -> Path:  # written last, by the job or by cancel
        return self.folder / "end.json"

    @property
    def predictions_folder(self) -> Path:
        return self.folder / "predictions"

    @property
    def latents_folder(self) -> Path:
        return self.folder / "latents"

    @property
    def maps_folder(self) -> Path:
        return self.folder / "maps"

    def predictions(self, site: str) -> Path:  # written by predictions.write
        return self.predictions_folder / f"{site}.parquet"

    def latents(self, site: str) -> Path:  # written by score
        return self.latents_folder / f"{site}.npy"

    def maps(self, site: str) -> Path:  # written by explain.maps
        return self.maps_folder / f"{site}.h5"

    def hierarchy(self, site: str) -> Path:  # written by score: what a gate spared the disease network
        return self.folder / "hierarchy" / f"{site}.json"

    def reconstructions(self, site: str) -> Path:  # written by score: best and worst pairs of an autoencoder
        return self.folder / "reconstructions" / f"{site}.npz"


@dataclass(frozen=True)
class Lab:
    """One lab folder."""

    root: Path

    @classmethod
    def here(cls) -> "Lab":
        """The lab that CXRLAB_HOME names; `./lab` without it."""
        return cls(Path(os.environ.get("CXRLAB_HOME", "lab")).expanduser().resolve())

    @property
    def stores(self) -> Path:
        return self.root / "stores"

    @property
    def runs(self) -> Path:
        return self.root / "runs"

    @property
    def catalogue(self) -> Path:
        return self.root / "catalogue.sqlite"

    @property
    def slots(self) -> Path:  # lock files: how many local jobs may run at once
        return self.root / "slots"

    def slot(self, number: int) -> Path:  # locked by the job that holds it
        return self.slots / f"{number}.lock"

    def raw(self, site: str) -> Path:
        """Where a site that we draw ourselves keeps its raw folder. Raises BadInput for an unsafe name."""
        files.check_name(site, "site")
        return self.root / "raw" / site

    def origin(self, site: str) -> Path:  # written by intake.origin: where the raw folder lay
        """What `site` was read from. Raises BadInput for an unsafe name."""
        files.check_name(site, "site")
        return self.root / "sources" / f"{site}.json"

    def hub_weights(self, name: str) -> Path:  # a person's: TAG.safetensors, for a machine without a network
        """Where a file of hub weights is looked for before the hub is. Raises BadInput for an unsafe name."""
        files.check_name(name, "file of weights")
        return self.root / "weights" / name

    @property
    def threshold_sets(self) -> Path:  # named sets that a person saved
        return self.root / "thresholds"

    def sweep(self, name: str) -> Path:  # written by sweeps.shelf
        """Where the sweep `name` is kept, to be looked at and started again. Raises BadInput for an unsafe name."""
        files.check_name(name, "sweep")
        return self.sweeps / f"{name}.json"

    @property
    def sweeps(self) -> Path:  # one file a sweep, by its name
        return self.root / "sweeps"

    @property
    def hashes(self) -> Path:  # caches of leaks: delete the folder and nothing is lost
        return self.root / "hashes"

    def fingerprints(self, digest: str, version: int) -> Path:  # written by leaks.hashes
        """The fingerprints of the store with this digest. Raises BadInput for an unsafe name."""
        files.check_name(digest, "store's digest")
        return self.hashes / f"{digest}.v{version}.npy"

    def copies(self, digest: str, other: str, version: str) -> Path:  # written by leaks.pairs
        """The copies between the stores with these digests. Raises BadInput for an unsafe name."""
        files.check_name(digest, "store's digest")
        files.check_name(other, "store's digest")
        return self.hashes / "pairs" / f"{digest[:32]}-{other[:32]}.v{version}.json"

    @property
    def salt(self) -> Path:  # written by privacy: what names of patients are hashed with
        return self.root / "salt"

    def private_table(self, site: str) -> Path:  # written by privacy; leads from a store's names to the files
        """The private table of `site`, whether or not it exists. Raises BadInput for an unsafe name."""
        files.check_name(site, "site")
        return self.root / "private" / f"{site}.csv"

    def importing(self, site: str) -> RunPaths:
        """The files of an import that a page started: the same names as a run's. Raises BadInput for an unsafe name."""
        files.check_name(site, "site")
        return RunPaths(self.root / "imports" / site)

    def fetched(self, collection: str) -> Path:
        """Where the files of a published collection are fetched to. Raises BadInput for an unsafe name."""
        files.check_name(collection, "collection")
        return self.root / "fetched" / collection  # not in raw/, where sites are drawn

    def fetching(self, collection: str) -> RunPaths:
        """The files of a fetch that a page started: the same names as a run's. Raises BadInput for an unsafe name."""
        files.check_name(collection, "collection")
        return RunPaths(self.root / "fetches" / collection)

    def store(self, site: str) -> Path:
        """The store of `site`, whether or not it exists. Raises BadInput for an unsafe name."""
        files.check_name(site, "site")
        return self.stores / f"{site}.h5"

    @property
    def derived(self) -> Path:  # variants of stores; not beside them, or they would be sites
        return self.stores / "derived"

    def derived_store(self, site: str, key: str) -> Path:  # written by variants
        """The variant `key` of a site's store, whether or not it exists. Raises BadInput for an unsafe name."""
        files.check_name(site, "site")
        return self.derived_named(f"{site}-{key}")

    def derived_named(self, name: str) -> Path:
        """The variant named `name`, <site>-<key>. Raises BadInput for an unsafe name."""
        if "/" in name or not files.SAFE_NAME.match(name):
            raise BadInput(
                f"{name!r} cannot be a variant's name; `variants list` shows those that are there."
            )
        return self.derived / f"{name}.h5"

    def run(self, run_id: str) -> RunPaths:
        """The run named `run_id`, whether or not it exists. Raises BadInput for an unsafe name."""
        files.check_name(run_id, "run")
        return RunPaths(self.runs / run_id)

    def sites(self) -> list[str]:
        """Names of the sites that have a store, sorted."""
        return sorted(path.stem for path in self.stores.glob("*.h5"))

    def run_ids(self) -> list[str]:
        """Names of the runs that have a spec, sorted."""
        return sorted(path.parent.name for path in self.runs.glob("*/spec.json"))
