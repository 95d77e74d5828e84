"""The verb `demo`: build the phantom study, then open the dashboard on it.

In:    an empty or half-built lab, or one where the demo is done.
Out:   the demo study's runs; a dashboard that answers on localhost.
Never: torch; numbers.
"""

import argparse
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import webbrowser
from pathlib import Path
from types import FrameType

import cxrlab
from cxrlab import jobs
from cxrlab import spec as specs
from cxrlab.commands import console
from cxrlab.commands.runs import check_done, wait
from cxrlab.errors import BadInput, BadRun, MissingInput
from cxrlab.paths import Lab

PORT = 8501  # Streamlit's own
PORTS_TRIED = 50
ANSWER_SECONDS = 60.0


def add(verbs: argparse._SubParsersAction) -> None:
    """Register `demo`."""
    verb = verbs.add_parser(
        "demo", help="build the phantom study with progress, then open the dashboard on it"
    )
    verb.add_argument("--port", type=int, default=PORT, help=f"where the dashboard answers (default: {PORT})")
    verb.add_argument("--no-open", action="store_true", help="start the dashboard, but no browser")
    verb.add_argument("--build-only", action="store_true", help="build the study and stop")
    verb.add_argument("--seed", type=int, default=0, help="of the phantoms and the training")
    verb.set_defaults(carry_out=carry_out)


def carry_out(args: argparse.Namespace) -> int:
    """Build what is missing, then serve until Ctrl-C."""
    if not 1 <= args.port <= 65535:
        raise BadInput(f"{args.port} is no port; choose one from 1024 to 65535.")
    lab, spec = Lab.here(), demo_spec(args.seed)
    if not is_built(lab, spec):
        began = time.monotonic()
        print(
            f"Building the demo study in {lab.root}: {1 + len(spec.external)} made-up hospitals, four models, a few "
            "minutes without a GPU. It goes on if this window closes; calling demo again watches it.",
            flush=True,
        )
        run = lab.run(jobs.submit(lab, spec))
        check_done(run, wait(run))
        from cxrlab.commands import outcome

        print(f"Built in {console.seconds(time.monotonic() - began)}. {outcome.headline(run)}", flush=True)
    return 0 if args.build_only else serve(lab, args.port, open_browser=not args.no_open and has_screen())


def demo_spec(seed: int = 0) -> specs.StudySpec:
    """Return the demo study: the phantom sites, the first of them home."""
    from cxrlab.phantom.recipes import DEMO

    home, *others = (site for site, _, _ in DEMO)
    return specs.StudySpec(source=home, external=tuple(others), preset="demo", seed=seed, make="phantom")


def is_built(lab: Lab, spec: specs.StudySpec) -> bool:
    """Return whether the study is done and all of it is still there; forget a study whose parts were removed."""
    run = lab.run(spec.run_id)
    if not run.spec.exists() or jobs.status(run).state != "done":
        return False
    children = [lab.run(child) for child in jobs.children(run).values()]
    whole = all(child.spec.exists() and jobs.status(child).state == "done" for child in children)
    whole = whole and all(lab.store(site).exists() for site in (spec.source, *spec.external))
    if not whole:
        jobs.remove(lab, run.run_id)
    return whole


def serve(lab: Lab, port: int, *, open_browser: bool) -> int:
    """Run the dashboard on the first free port from `port` until it is stopped.

    Raises:
        MissingInput: the dashboard's files are not beside this package.
        BadRun: it ended before it answered.
    """
    root = Path(cxrlab.__file__).resolve().parent.parent
    if not (root / "app.py").exists():
        raise MissingInput(f"no app.py in {root}; run this from a complete copy of cxrlab.")
    free = free_port(port)
    if free != port:
        print(f"Port {port} is taken; the dashboard uses {free}.", flush=True)
    command = [
        sys.executable,
        "-m",
        "streamlit",
        "run",
        "app.py",
        "--server.port",
        str(free),
        "--server.headless",
        "true",
    ]
    signal.signal(signal.SIGTERM, _leave)  # so that the server below never outlives us
    # In the folder of app.py: that is where Streamlit looks for .streamlit/config.toml.
    server = subprocess.Popen(
        command, cwd=root, env={**os.environ, "CXRLAB_HOME": str(lab.root)}, stdout=subprocess.DEVNULL
    )
    url = f"http://localhost:{free}"
    try:
        wait_until_it_answers(server, url)
        print(f"The dashboard is open at {url} (Ctrl-C closes it; jobs go on).", flush=True)
        if open_browser:
            webbrowser.open(url)
        return 0 if server.wait() == 0 else 1
    except KeyboardInterrupt:
        print("\nClosed.", flush=True)
        return 0
    finally:
        server.terminate()
        server.wait()


def _leave(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def wait_until_it_answers(server: subprocess.Popen, url: str) -> None:
    """Return when the dashboard answers. Raises BadRun when it ends first or takes longer than ANSWER_SECONDS."""
    until = time.monotonic() + ANSWER_SECONDS
    while time.monotonic() < until:
        if server.poll() is not None:
            raise BadRun(
                f"the dashboard ended at once (exit {server.returncode}); try `streamlit run app.py`."
            )
        try:
            with urllib.request.urlopen(f"{url}/_stcore/health", timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise BadRun(
        f"the dashboard did not answer at {url} within {ANSWER_SECONDS:.0f} s; try `streamlit run app.py`."
    )


def free_port(first: int) -> int:
    """Return the first port from `first` on that nobody listens at. Raises BadInput when 50 are taken."""
    for port in range(first, min(first + PORTS_TRIED, 65536)):
        with socket.socket() as probe:
            probe.setsockopt(
                socket.SOL_SOCKET, socket.SO_REUSEADDR, 1
            )  # as the server does: a closing one is free
            try:
                probe.bind(("localhost", port))
            except OSError:
                continue
            return port
    raise BadInput(f"no free port from {first} to {first + PORTS_TRIED - 1}; name another with --port.")


def has_screen() -> bool:
    """Return whether opening a browser makes sense: not in CI, and not on a Linux machine without a display."""
    if os.environ.get("CI"):
        return False
    return sys.platform != "linux" or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))
