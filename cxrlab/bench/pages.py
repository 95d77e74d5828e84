"""What a click costs on Generalization and Thresholds: 6 sites x 100,000 images x 14 labels x 12 runs.

In:    nothing; a lab of drawn scores in a folder that is removed, and a server of its own over it.
Out:   95th percentile of the server's time a click, and the largest answer, beside what we promise.
Never: a browser's own drawing; images (the lab has none). CXRLAB_BENCH_SCALE=0.02 makes a quick try of it.
"""

import asyncio
import dataclasses
import os
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import numpy as np

from cxrlab import files, predictions, spec
from cxrlab.bench.base import Line
from cxrlab.bench.first_page import GIVE_UP, serving
from cxrlab.bench.pages_numbers import ROWS, RUNS, SITES
from cxrlab.bench.pages_numbers import site as drawn_site
from cxrlab.errors import BadRun
from cxrlab.labels import NIH
from cxrlab.metrics import thresholds
from cxrlab.paths import Lab

CLICK_S, SLIDER_S, MESSAGE_MB = 0.3, 0.15, 2.0
PAGES = ("thresholds", "generalization")
HOME, *AWAY = (f"site{k}" for k in range(SITES))
TIMES = 12  # clicks of a kind


def scale() -> float:
    """Return the share of the promised size to measure at: 1, or CXRLAB_BENCH_SCALE."""
    return float(os.environ.get("CXRLAB_BENCH_SCALE", "1"))


def run() -> list[Line]:
    """Build the lab, click through both pages, report every kind of click."""
    with tempfile.TemporaryDirectory() as folder:
        size = build(Lab(Path(folder)))
        with serving(Path(folder)) as (port, pid):
            took, sent, first = asyncio.run(click_through(port, pid))
    lines = []
    for (page, kind), pairs in took.items():
        seconds, busy = np.array(pairs).T
        bar = SLIDER_S if kind == "slider" else CLICK_S
        p95 = float(np.percentile(seconds, 95))
        # On a busy machine a click waits for others' work; what the server itself computed tells the two apart.
        note = (
            f"{len(seconds)} clicks, median {np.median(seconds):.3f} s; the server computed {np.median(busy):.2f} s, "
            f"p95 {np.percentile(busy, 95):.2f} s; slowest first opening of a part {first[page]:.1f} s; {size}"
        )
        lines.append(Line("pages", f"{page}: {kind}, p95", p95, bar, "s", bar / p95, 1.0, note))
    for page, many in sent.items():
        largest = max(many) / 1e6
        what = f"{page}: largest answer to a click"
        lines.append(Line("pages", what, largest, MESSAGE_MB, "MB", MESSAGE_MB / largest, 1.0, size))
    return lines


def build(lab: Lab, n_runs: int = RUNS) -> str:
    """Write runs of one home that differ in their seed, scored at all sites; return what was built in words."""
    n, rng = max(400, int(ROWS * scale())), np.random.default_rng(0)
    specs = [train_spec(seed) for seed in range(n_runs)]
    for k, name in enumerate((HOME, *AWAY)):
        base = drawn_site(name, "", home=name == HOME, n=n, seed=k)
        logit = {f"logit:{label}": base.table[f"logit:{label}"].to_numpy() for label in NIH}
        for made in specs:
            paths, noise = lab.run(made.run_id), rng.normal(0, 0.5, n)
            paths.predictions_folder.mkdir(parents=True, exist_ok=True)
            moved = {key: values + noise for key, values in logit.items()}
            scores = dataclasses.replace(base, table=base.table.assign(**moved), run_id=made.run_id)
            predictions.write(paths.predictions(name), scores)
            if name == HOME:
                files.write_json(paths.spec, made.model_dump(mode="json"))
                files.write_json(paths.end, {"state": "done", "reason": "", "ended": time.time()})
                thresholds.write(paths.thresholds, thresholds.tune(scores, name="tuned"))
    return f"{SITES} sites x {n:,} images x {len(NIH)} labels x {n_runs} runs"


def train_spec(seed: int) -> spec.TrainSpec:
    """Return a findings model of HOME."""
    view = spec.ViewSpec(source=(HOME,), external=tuple(AWAY), labels=NIH)
    return spec.TrainSpec(task="labels", view=view, seed=seed, data=dict.fromkeys((HOME, *AWAY), "drawn"))


Took = dict[tuple[str, str], list[tuple[float, float]]]


async def click_through(port: int, pid: int) -> tuple[Took, dict[str, list[int]], dict[str, float]]:
    """Return (seconds, seconds of the server's processor) a page and kind of click, bytes a page, slowest first opening."""
    took, sent, first = defaultdict(list), defaultdict(list), {}

    async def clicked(visit: "Visit", page: str, kind: str, key: str, value: object) -> None:
        if key in visit.widgets:
            before = busy_seconds(pid)
            seconds, size = await visit.choose(key, value)
            took[page, kind].append((seconds, busy_seconds(pid) - before))
            sent[page].append(size)

    for page in PAGES:
        async with Visit.to(port, page) as visit:
            # The promise holds after first load: each part of a page measures what it keeps when it is first opened.
            opened = [await visit.choose("label", NIH[-1])]
            for part in ("section", "look"):
                names = visit.options.get(part, [])
                opened += [await visit.choose(part, name) for name in (*names, *names[:1])]
            first[page] = max(seconds for seconds, _ in opened)
            for i in range(TIMES):
                label = NIH[i % len(NIH)]
                slider = next((key for key in visit.widgets if key.startswith("at_")), "")
                await clicked(visit, page, "slider", slider, 0.02 + 0.01 * i)
                await clicked(visit, page, "another label", "label", label)
                await clicked(visit, page, "another site", "site", (HOME, *AWAY)[(i + 1) % SITES])
                for switch in ("section", "rule", "rows", "look", "view", "mend"):
                    names = visit.options.get(switch, [])
                    if names:
                        await clicked(visit, page, switch, switch, names[(i + 1) % len(names)])
    return took, sent, first


def busy_seconds(pid: int) -> float:
    """Return the processor time that a process has used, NaN where the system does not say."""
    stat = Path(f"/proc/{pid}/stat")
    if not stat.exists():
        return np.nan
    fields = (
        stat.read_text().rpartition(")")[2].split()
    )  # proc(5): the name may hold spaces; 14 and 15 are the times
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Visit:
    """One browser tab's conversation with the server, without the browser."""

    def __init__(self, socket: object, page: str) -> None:
        self.socket, self.page = socket, page
        self.widgets: dict[str, tuple[str, str, str]] = {}  # key → (id, field of its value, fragment or "")
        self.options: dict[str, list[str]] = {}
        self.said: dict[str, tuple[str, object]] = {}  # id → (field, value)
        self.script = ""

    @classmethod
    def to(cls, port: int, page: str) -> "_Opened":
        """Return a context that opens `page`."""
        return _Opened(port, page)

    async def choose(self, key: str, value: object) -> tuple[float, int]:
        """Give the widget `key` a value; return (seconds until the script has ended, bytes that it sent)."""
        name, kind, fragment = self.widgets[key]
        self.said[name] = (kind, value)
        return await self.rerun(fragment)

    async def rerun(self, fragment: str = "") -> tuple[float, int]:
        """Run the page, or one fragment of it, with what has been chosen so far."""
        from streamlit.proto.BackMsg_pb2 import BackMsg
        from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

        ask = BackMsg()
        ask.rerun_script.page_script_hash, ask.rerun_script.fragment_id = self.script, fragment
        if not self.script:
            ask.rerun_script.page_name = self.page
        for name, (kind, value) in self.said.items():
            state = ask.rerun_script.widget_states.widgets.add(id=name)
            if kind.endswith("_array_value"):
                getattr(state, kind).data.append(value)
            else:
                setattr(state, kind, value)
        if not fragment:  # the page draws all that it has again
            self.widgets, self.options = {}, {}
        size, drawn, began = 0, 0, time.perf_counter()
        await self.socket.send(ask.SerializeToString())
        while True:
            data = await asyncio.wait_for(self.socket.recv(), GIVE_UP * 3)
            size += len(data)
            message = ForwardMsg()
            message.ParseFromString(data)
            kind = message.WhichOneof("type")
            if kind == "script_finished" and message.script_finished != ForwardMsg.FINISHED_EARLY_FOR_RERUN:
                if not drawn:
                    raise BadRun(
                        f"{self.page} drew nothing after a click; the benchmark would time an empty answer."
                    )
                return time.perf_counter() - began, size
            if kind == "new_session":
                self.script = message.new_session.page_script_hash
            elif kind == "navigation":  # app.py has said which of its pages this is
                self.script = message.navigation.page_script_hash
            elif kind == "delta":
                drawn += 1
                self._learn(message.delta)

    def _learn(self, delta: object) -> None:
        """Note the widgets that an element brings."""
        if delta.WhichOneof("type") == "add_block":
            if delta.add_block.tab_container.id:
                self._note(delta.add_block.tab_container.id, "string_value", delta.fragment_id)
            return
        kind = delta.new_element.WhichOneof("type")
        element = getattr(delta.new_element, kind) if kind else None
        if kind == "exception" or (kind == "alert" and element.format == element.ERROR):
            said = element.message if kind == "exception" else element.body
            raise BadRun(f"{self.page} shows an error instead of its numbers: {said[:300]}")
        field = {
            "selectbox": "string_value",
            "slider": "double_array_value",
            "button_group": "string_array_value",
        }
        if kind in field:
            key = self._note(element.id, field[kind], delta.fragment_id)
            if kind == "button_group":
                self.options[key] = [one.content for one in element.options]
            elif kind == "selectbox":
                self.options[key] = list(element.options)

    def _note(self, name: str, kind: str, fragment: str) -> str:
        key = name.split("-", 2)[-1]
        self.widgets[key] = (name, kind, fragment)
        return key


class _Opened:
    def __init__(self, port: int, page: str) -> None:
        self.port, self.page = port, page

    async def __aenter__(self) -> Visit:
        import websockets

        address = f"ws://localhost:{self.port}/_stcore/stream"
        self.socket = await websockets.connect(address, max_size=None, subprotocols=["streamlit"])
        visit = Visit(self.socket, self.page)
        await visit.rerun()
        return visit

    async def __aexit__(self, *_: object) -> None:
        await self.socket.close()
