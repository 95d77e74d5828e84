"""A fetch that a page asked for, as a process of its own: it outlives the tab, and its state lies in files.

In:    a collection's name and variant, as a form gives them.
Out:   `fetches/<name>/` in the lab, with the files of a run, so that jobs.state can read it; the collection in the end.
Never: torch, streamlit; how a file is fetched.
"""

import os
import socket
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import cxrlab
from cxrlab import files
from cxrlab.errors import BadInput, CxrlabError
from cxrlab.fetching import getting
from cxrlab.jobs import process, state
from cxrlab.paths import Lab
from cxrlab.progress import Progress


@dataclass(frozen=True)
class Request:
    """What is to be fetched. The person has seen and accepted the licence."""

    name: str
    variant: str | None = None
    base: str | None = None
    to: str | None = None


def start(
    lab: Lab, name: str, *, variant: str | None = None, base: str | None = None, to: str | None = None
) -> None:
    """Start fetching as a detached process; one that is under way already is left alone. `jobs.cancel` ends it.

    Raises:
        UnknownName: no such collection.
        BadInput: no such variant, or it must be asked for in person.
    """
    if getting.find(name, variant).gated:
        raise BadInput(f"{name} must be asked for in person; `python -m cxrlab fetch {name}` says how.")
    run = lab.fetching(name)
    with state.locked(run):
        if state.is_carried_out(state.read_job(run)):
            return
        run.end.unlink(missing_ok=True)
        run.progress.unlink(missing_ok=True)
        files.write_json(run.spec, asdict(Request(name, variant, base, to)))
        package = Path(cxrlab.__file__).resolve().parent.parent
        path = os.pathsep.join(filter(None, (str(package), os.environ.get("PYTHONPATH", ""))))
        env = {**os.environ, "CXRLAB_HOME": str(lab.root), "PYTHONPATH": path, "PYTHONUNBUFFERED": "1"}
        command = [sys.executable, "-P", "-m", "cxrlab.fetching.background", name]
        who = process.start(command, run.log, run.folder, env)
        if who is not None:
            now = round(time.time(), 6)
            state.write_job(run, state.Job("local", socket.gethostname(), now, who.pid, who.born, now))


def under_way(lab: Lab) -> dict[str, state.Status]:
    """Return name → state of every fetch that was started here and has not come to a good end."""
    names = sorted(path.parent.name for path in lab.root.glob("fetches/*/spec.json"))
    found = {name: state.status(lab.fetching(name)) for name in names}
    return {name: now for name, now in found.items() if now.state != "done"}


def main(name: str) -> int:
    """Carry the fetch out in this process; return its exit status."""
    lab = Lab.here()
    run = lab.fetching(name)
    try:
        request = Request(**files.read_json(run.spec))
        to = None if request.to is None else Path(request.to)
        folder = getting.fetch(
            lab,
            request.name,
            variant=request.variant,
            base=request.base,
            to=to,
            progress=Progress(run.progress),
        )
    except CxrlabError as error:
        print(error)
        state.write_end(run, "failed", str(error))
        return 2
    print(f"fetched to {folder}")
    state.write_end(run, "done")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
