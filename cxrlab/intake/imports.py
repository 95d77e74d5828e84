"""An ingest that a page asked for, as a process of its own: it outlives the tab, and its state lies in files.

In:    dataset, raw folder, site and settings, as a form gives them.
Out:   `imports/<site>/` in the lab, with the files of a run, so that jobs.state can read it; the store in the end.
Never: torch, streamlit; how a raw folder is read.
"""

import os
import socket
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import cxrlab
from cxrlab import files, privacy
from cxrlab.errors import BadInput, CxrlabError
from cxrlab.jobs import process, state
from cxrlab.paths import Lab
from cxrlab.progress import Progress
from cxrlab.sites import SITES


@dataclass(frozen=True)
class Request:
    """What is to be read into which site."""

    dataset: str
    raw: str
    site: str
    px: int = 224
    limit: int | None = None
    options: dict[str, Any] = field(default_factory=dict)


def start(lab: Lab, request: Request) -> None:
    """Start the import of `request.site` as a detached process; one that is under way already is left alone.

    Raises:
        BadInput: the site's name is taken, or unsafe.
    """
    if lab.store(request.site).exists():
        raise BadInput(
            f"the lab already has a site {request.site!r}; choose another name, or remove its store first."
        )
    run = lab.importing(request.site)
    with state.locked(run):
        if state.is_carried_out(state.read_job(run)):
            return
        run.end.unlink(missing_ok=True)
        run.progress.unlink(missing_ok=True)
        files.write_json(run.spec, asdict(request))
        package = Path(cxrlab.__file__).resolve().parent.parent
        path = os.pathsep.join(filter(None, (str(package), os.environ.get("PYTHONPATH", ""))))
        env = {**os.environ, "CXRLAB_HOME": str(lab.root), "PYTHONPATH": path, "PYTHONUNBUFFERED": "1"}
        command = [sys.executable, "-P", "-m", "cxrlab.intake.imports", request.site]
        who = process.start(command, run.log, run.folder, env)
        if who is not None:
            now = round(time.time(), 6)
            state.write_job(run, state.Job("local", socket.gethostname(), now, who.pid, who.born, now))


def under_way(lab: Lab) -> dict[str, state.Status]:
    """Return site → state of every import that has no store yet; a done one is the store's business."""
    sites = sorted(path.parent.name for path in lab.root.glob("imports/*/spec.json"))
    found = {site: state.status(lab.importing(site)) for site in sites}
    return {site: now for site, now in found.items() if now.state != "done"}


def main(site: str) -> int:
    """Carry the import out in this process; return its exit status."""
    from cxrlab import ingest

    lab = Lab.here()
    run = lab.importing(site)
    request = None
    try:
        request = Request(**files.read_json(run.spec))
        done = ingest.ingest(
            lab,
            request.dataset,
            Path(request.raw),
            request.site,
            px=request.px,
            limit=request.limit,
            options=request.options,
            progress=Progress(run.progress),
        )
    except CxrlabError as error:
        said = _said(error, request)
        print(said)
        state.write_end(run, "failed", said)
        return 2
    print(f"{done.n_images} images of {done.n_patients} patients; {done.n_quarantined} left out")
    state.write_end(run, "done")
    return 0


def _said(error: CxrlabError, request: Request | None) -> str:
    """Return an error's sentence for the log; of a private site without its folder's name and without quotations."""
    said = str(error)
    if (
        request is None
        or request.dataset not in SITES
        or not SITES[request.dataset].hides_names(request.options)
    ):
        return said
    for folder in (str(Path(request.raw).expanduser().resolve()), request.raw):
        said = said.replace(folder, "the raw folder")
    return privacy.without_quotes(said)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
