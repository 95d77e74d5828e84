"""The study bar: home, externals, runs and threshold set, the same on every page and in the URL.

In:    the lab folder.
Out:   a Study, or the screen that says what is missing.
Never: numbers; choices kept anywhere but in the URL.
"""

from dataclasses import dataclass, field
from pathlib import Path

import streamlit as st

from cxrlab import studies
from cxrlab.errors import CxrlabError
from cxrlab.paths import Lab
from cxrlab.studies import task_of
from cxrlab.ui import cached, frame, marks, words

ORDER = ("labels", "autoencoder", "normal", "normal-latents")
UNKNOWN = "not known"  # the home of scores from elsewhere that did not say where the model was trained


@dataclass(frozen=True)
class Study:
    """What the pages compare: frozen runs of one home, seen at other sites."""

    home: str  # "" where an import did not say
    externals: tuple[str, ...]  # in the order of the home's runs
    runs: dict[str, str]  # task → run id, only runs that have scores at home
    threshold_set: object | None  # metrics.thresholds.ThresholdSet of the "labels" run
    synthetic: bool
    unfinished: tuple[str, ...] = field(default=())  # runs of this home that are not done

    @property
    def sites(self) -> tuple[str, ...]:
        """Home, if it is known, then the externals."""
        return (*filter(None, (self.home,)), *self.externals)

    @property
    def said_home(self) -> str:
        """Home as a sentence names it."""
        return self.home or "a site that is not known"

    def colours(self) -> dict[str, str]:
        """Site → colour, home first."""
        return words.site_colours(self.home, self.externals)


def shown_runs() -> dict[str, object]:
    """Return every run of the lab that can have scores and be read, run id → NetworkSpec or ImportSpec, newest first.

    A pretraining has none: it is in `trained_runs` alone.
    """
    found = _readable()
    return {run_id: read for run_id, read in found.items() if getattr(read, "task", "") != "moco"}


def trained_runs() -> dict[str, object]:
    """Return every run that was trained here, pretrainings too, newest first."""
    return {run_id: read for run_id, read in _readable().items() if read.kind == "train"}


def _readable() -> dict[str, object]:
    lab = Lab.here()
    found = {}
    for run_id in lab.run_ids():
        try:
            read = cached.run_spec(run_id)
        except CxrlabError:  # a damaged run folder is the Runs page's business; it must not close the others
            continue
        if read.kind in ("train", "brought", "import"):
            found[run_id] = read
    return dict(sorted(found.items(), key=lambda item: -lab.run(item[0]).spec.stat().st_mtime_ns))


def train_runs() -> dict[str, object]:
    """Return those of `shown_runs` that were trained here, run id → TrainSpec; see `trained_runs` for all."""
    return {run_id: read for run_id, read in shown_runs().items() if read.kind == "train"}


def networks() -> dict[str, object]:
    """Return every run that has a network, pretrainings too: what another run can start from, newest first."""
    return {run_id: read for run_id, read in _readable().items() if read.kind in ("train", "brought")}


def is_imported(run_id: str) -> bool:
    """Return whether a run's scores come from elsewhere: it has no checkpoint, no maps and, often, no images."""
    return cached.run_spec(run_id).kind == "import"


def home_of(run) -> str:
    """Return the home of a NetworkSpec or ImportSpec as the study bar names it."""
    return next(iter(studies.homes_of(run)), UNKNOWN)


def homes(runs: dict[str, object]) -> dict[str, list[str]]:
    """Return home → its run ids.

    First homes whose findings were scored elsewhere too, then those with scored findings, then those with any scores;
    the unknown after its equals.
    """
    of: dict[str, list[str]] = {}
    for run_id, run in runs.items():
        of.setdefault(home_of(run), []).append(run_id)

    def rank(home: str) -> tuple[bool, bool, bool, bool]:
        scored = [run_id for run_id in of[home] if is_scored(run_id, home)]
        findings = [run_id for run_id in scored if task_of(runs[run_id]) == "labels"]
        travelled = home != UNKNOWN and any(
            set(cached.scored_sites(run_id)) - set(studies.homes_of(runs[run_id])) for run_id in findings
        )
        return (not travelled, not findings, not scored, home == UNKNOWN)

    return {home: of[home] for home in sorted(of, key=rank)}


def is_scored(run_id: str, home: str) -> bool:
    """Return whether a run has scores at home (at any site where home is not known): the least that a page can show."""
    if home == UNKNOWN:
        return bool(cached.scored_sites(run_id))
    return Lab.here().run(run_id).predictions(home).exists()


def study(*, quiet: bool = False) -> Study | None:
    """Draw the study bar and return what it says; None (and a screen that says why) when there is nothing to show.

    `quiet` leaves out what is unfinished, for a page that shows it better itself.
    """
    runs = shown_runs()
    if not runs:
        if not quiet:
            nothing_yet()
        return None
    of = homes(runs)
    with st.container(horizontal=True, vertical_alignment="bottom", key="studybar"):
        home = st.selectbox(
            "Home site",
            list(of),
            key="home",
            bind="query-params",
            width=220,
            help="Where the models were trained. Scores and networks from elsewhere may not say.",
        )
        scored = [run_id for run_id in of[home] if is_scored(run_id, home)]
        externals = _externals(home, {run_id: runs[run_id] for run_id in scored})
        chosen = _runs(home, scored, runs)
        threshold_set = _threshold_set(chosen.get("labels"))
    unfinished = tuple(run_id for run_id in of[home] if not Lab.here().run(run_id).end.exists())
    if not chosen:
        if not quiet:
            still_running(of[home])
        return None
    known_home = "" if home == UNKNOWN else home
    synthetic = _synthetic(chosen, known_home, externals)
    found = Study(known_home, externals, chosen, threshold_set, synthetic, unfinished)
    marks.draw(
        found.sites, synthetic=synthetic, overlap=tuple(cached.overlaps_allowed(tuple(chosen.values())))
    )
    if unfinished and not quiet:
        note_unfinished(unfinished)
    return found


def sites_beyond(run_id: str, run) -> tuple[str, ...]:
    """Return the sites that a run was asked to be scored at, then those that it was scored at later (verb `score`)."""
    later = [site for site in cached.scored_sites(run_id) if site not in studies.homes_of(run)]
    return tuple(dict.fromkeys((*studies.externals_of(run), *later)))


def _externals(home: str, runs: dict[str, object]) -> tuple[str, ...]:
    known = list(dict.fromkeys(site for run_id, run in runs.items() for site in sites_beyond(run_id, run)))
    if not known:
        return ()
    # The options follow the home; the key must not, or a link could not name them.
    chosen = st.multiselect(
        "External sites",
        known,
        default=known,
        key="externals",
        bind="query-params",
        width=380,
        help="Sites that training never saw. The order fixes their colours.",
    )
    return tuple(site for site in known if site in chosen)


def _runs(home: str, scored: list[str], runs: dict) -> dict[str, str]:
    by_task: dict[str, list[str]] = {}
    for run_id in scored:
        by_task.setdefault(task_of(runs[run_id]), []).append(run_id)
    tasks = [task for task in ORDER if task in by_task]
    chosen = {}
    if not tasks:
        return chosen
    with st.popover(
        words.count(len(tasks), "run"), icon=":material/model_training:", help="Which run for each task"
    ):
        for task in tasks:
            chosen[task] = st.selectbox(
                words.TASKS[task].capitalize(),
                by_task[task],
                key=f"run_{task}".replace("-", "_"),
                bind="query-params",
            )
    return chosen


def _threshold_set(run_id: str | None) -> object | None:
    known = cached.threshold_sets(run_id) if run_id else {}
    if not known:
        return None
    name = st.selectbox(
        "Threshold set",
        list(known),
        key="cuts",
        bind="query-params",
        width=180,
        help="Where scores are cut. 'tuned': best F1 on home's validation rows.",
    )
    return cached.threshold_set(Path(known[name]))


def _synthetic(chosen: dict[str, str], home: str, externals: tuple[str, ...]) -> bool:
    run_id = next(iter(chosen.values()))
    there = cached.scored_sites(run_id)
    return any(cached.predictions(run_id, site).synthetic for site in (home, *externals) if site in there)


def nothing_yet() -> None:
    """Say that no run is there, with the doors to one."""
    st.info("No run in this lab yet. Every page fills itself as soon as one model was trained and scored.")
    with st.container(horizontal=True):
        frame.link("home", "Build the demo study", icon=":material/science:")
        frame.link("sites", "Import a site", icon=":material/dataset:", do=frame.IMPORT)
        frame.link("launch", "Launch a run", icon=":material/play_circle:")


def still_running(run_ids: list[str]) -> None:
    """Say what the home's runs are doing, when none has scores yet."""
    st.info("The runs of this home have no scores yet. This page fills itself when the first site is scored.")
    for run_id in run_ids:
        now = cached.status(run_id)
        st.markdown(f"`{run_id}` {words.STATES.get(now.state, now.state)}. {now.stage} {now.reason}")
    frame.link("runs", "Watch them on Runs", icon=":material/list_alt:")


def note_unfinished(run_ids: tuple[str, ...]) -> None:
    """Say in one line that more is coming."""
    said = [f"{run_id}: {words.STATES.get(cached.status(run_id).state, '')}" for run_id in run_ids[:3]]
    st.caption("Not finished: " + "; ".join(said) + ". What is there is shown.")
