"""How long after `streamlit run app.py` the first page stands.

In:    nothing; a server of its own over an empty lab, in a folder that is removed.
Out:   seconds until the first script run has ended, beside the three seconds that we promise.
Never: a browser: its own start is not ours. The page is asked for as a browser does, by websocket.
"""

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import cxrlab
from cxrlab.bench.base import Line
from cxrlab.errors import BadRun

PROMISED = 3.0  # seconds
GIVE_UP = 60.0
ROUNDS = 3


def run() -> list[Line]:
    """Measure the first page of an empty lab; the median of three cold starts of the server."""
    with tempfile.TemporaryDirectory() as folder:
        took = sorted(first_page(Path(folder)) for _ in range(ROUNDS))
    ours = took[ROUNDS // 2]
    note = f"fastest {took[0]:.2f} s, slowest {took[-1]:.2f} s"
    return [Line("first_page", "start of the server to the end of the first page", ours, PROMISED, "s",
                 PROMISED / ours, 1.0, note)]  # fmt: skip


def first_page(lab: Path) -> float:
    """Return the seconds from starting a server over `lab` to the end of its first page's script."""
    began = time.perf_counter()
    with serving(lab) as (port, _):
        asyncio.run(asyncio.wait_for(_one_script_run(port), GIVE_UP))
        return time.perf_counter() - began


@contextlib.contextmanager
def serving(lab: Path) -> Iterator[tuple[int, int]]:
    """Serve the app over `lab`, from when it answers until the block ends; give its port and its process id."""
    root = Path(cxrlab.__file__).parents[1]
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", str(root / "app.py"), "--server.port", str(port)]
    env = {**os.environ, "CXRLAB_HOME": str(lab)}
    began = time.perf_counter()
    server = subprocess.Popen(
        command, cwd=root, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        while not _answers(port):
            if server.poll() is not None or time.perf_counter() - began > GIVE_UP:
                raise BadRun(f"the server did not start; run `{' '.join(command)}` to see why.")
            time.sleep(0.01)
        yield port, server.pid
    finally:
        server.terminate()
        server.wait(20)


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://localhost:{port}/_stcore/health", timeout=2) as said:
            return said.status == 200
    except (urllib.error.URLError, OSError):
        return False


async def _one_script_run(port: int) -> None:
    """Open a session as a browser does and wait until its script has ended."""
    import websockets
    from streamlit.proto.BackMsg_pb2 import BackMsg
    from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

    address = f"ws://localhost:{port}/_stcore/stream"
    async with websockets.connect(address, max_size=None, subprotocols=["streamlit"]) as session:
        ask = BackMsg()
        ask.rerun_script.query_string = ""
        await session.send(ask.SerializeToString())
        while True:
            said = ForwardMsg()
            said.ParseFromString(await session.recv())
            if said.WhichOneof("type") == "script_finished":
                return
