"""What shall we run: presets, the four groups of a spec, and what will come of it.

In:    the lab's sites and runs; what a person chooses.
Out:   a spec, its cost, its difference from where it began, and the job that carries it out.
Never: defaults of its own; training.
"""

import json
from dataclasses import dataclass
from typing import Any

import streamlit as st

from cxrlab import jobs, presets, studies
from cxrlab import spec as specs
from cxrlab.errors import BadSpec, CxrlabError
from cxrlab.facts import run_facts
from cxrlab.facts.estimate import Estimate, estimate
from cxrlab.paths import Lab
from cxrlab.ui import augment_preview, cached, choose, forms, frame, words

OVERLAP = "allow_overlap"
STUDY, NETWORK = "A whole study", "One network"  # what the switch says, and so what the URL says
TASKS = {
    "labels": "Findings",
    "normal": "Normal or abnormal",
    "autoencoder": "Reconstruction",
}
SIZES = {
    "demo": "Small images and few epochs: to see that everything works.",
    "quick": "Real data on two cores.",
    "full": "The sizes of the literature; wants a GPU.",
}
UNCERTAIN = {
    "ignore": "masked",
    "zeros": "negative",
    "ones": "positive",
    "zeros-lsr": "smoothed negative",
    "ones-lsr": "smoothed positive",
    "multiclass": "a third class",
    "self-trained": "a teacher's",
}
BLANK = {"negative": "negative", "ignore": "masked"}
POLICIES = {"uncertain": UNCERTAIN, "uncertain_of": UNCERTAIN, "blank": BLANK, "blank_of": BLANK}


@dataclass(frozen=True)
class Wish:
    """What the form says: a spec, or the sentence why it is none."""

    spec: Any = None
    problem: str = ""
    runs: tuple[specs.TrainSpec, ...] = ()
    left_out: tuple[str, ...] = ()


def n_images() -> dict[str, int]:
    """Return site → images of every readable store."""
    found = {}
    for site in Lab.here().sites():
        try:
            found[site] = len(cached.store(site))
        except CxrlabError:  # Sites says what is wrong with it
            continue
    return found


def cost_line(cost: Estimate) -> str:
    """Return time and disk in a line."""
    return f"about {words.duration(cost.seconds)}, {words.size(cost.n_bytes)}"


# A study ------------------------------------------------------------------------------------------------------------


def study_form(sites: list[str]) -> Wish:
    """Draw the form of a whole study and return what it says."""
    homes = list(choose.homes(choose.train_runs()))
    first = next((site for site in homes if site in sites), sites[0])
    home = st.selectbox("Home site", sites, index=sites.index(first), key="study-home", persist_state="session",
                        help="The only site that training sees.")  # fmt: skip
    others = [site for site in sites if site != home]
    external = st.multiselect("External sites", others, default=others, key=f"study-external-{home}",
                              persist_state="session", help="The frozen models are scored there.")  # fmt: skip
    sizes = ["quick", "full"]
    preset = st.radio(
        "Preset",
        sizes,
        captions=[f"{SIZES[size]} {_study_cost(home, tuple(external), size)}" for size in sizes],
        format_func=str.capitalize,
        key="study-preset",
        persist_state="session",
    )
    seed = st.number_input("Seed", 0, 2**31 - 1, 0, key="study-seed", persist_state="session",
                           help="Decides first weights, order of rows and augmentation.")  # fmt: skip
    with st.expander("Advanced"):
        overlap = forms.one(
            OVERLAP, specs.ViewSpec.model_fields[OVERLAP], False, f"study-{OVERLAP}", forms.Look()
        )
    try:
        made = specs.build(
            {"kind": "study", "source": home, "external": external, "preset": preset, "seed": int(seed),
             OVERLAP: overlap}
        )  # fmt: skip
        outline = cached.outline(made)
    except CxrlabError as error:
        return Wish(problem=str(error))
    left_out = tuple(f"{studies.NAMES[task]}: {why}" for task, why in outline.left_out.items())
    return Wish(made, runs=tuple(outline.specs.values()), left_out=left_out)


def _study_cost(home: str, external: tuple[str, ...], preset: str) -> str:
    try:
        # What a study costs does not hang on whether its sites are new to home.
        made = specs.StudySpec(source=home, external=external, preset=preset, allow_overlap=True)
        runs = list(cached.outline(made).specs.values())
    except CxrlabError:  # the form says it beside the start button
        return ""
    return f"{words.count(len(runs), 'run')}, {cost_line(estimate(runs, n_images(), Lab.here()))}."


# One network --------------------------------------------------------------------------------------------------------


def base_fields(task: str, size: str, sites: list[str], rerun: str) -> dict[str, Any]:
    """Return the fields that the form starts from: a run's, or a preset's over this lab's sites."""
    if rerun:
        known = cached.run_spec(rerun)
        if known.kind != "train":
            raise BadSpec(f"{rerun} is a {known.kind}; only a training run can be changed here.")
        return {**known.model_dump(mode="json"), "data": {}}
    homes = list(choose.homes(choose.train_runs()))
    home = next((site for site in homes if site in sites), sites[0])
    fields = presets.training(size, task)
    labels = cached.learnable(home) or cached.store(home).header.labels
    view = {"source": [home], "external": [site for site in sites if site != home], "labels": list(labels)}
    stored = min(min(cached.store(site).image_shape) for site in sites)
    px = max(28, min(stored, fields["view"]["image_px"]))  # enlarging a small store would invent a shift
    return {"kind": "train", "task": task, **fields, "view": {**fields["view"], **view, "image_px": px}}


def network_form(sites: list[str], rerun: str) -> tuple[Wish, dict[str, Any]]:
    """Draw the four groups of a training spec; return what they say and the fields that they started from."""
    if rerun:
        task, size = cached.run_spec(rerun).task if cached.run_spec(rerun).kind == "train" else "labels", ""
        st.info(f"Filled in from `{rerun}`. What you change is listed beside the start button.")
    else:
        task = st.segmented_control("Task", list(TASKS), default="labels", required=True, format_func=TASKS.get,
                                    key="task", bind="query-params")  # fmt: skip
        captions = [f"{SIZES[size]} {_size_cost(task, size, sites)}" for size in SIZES]
        size = st.radio("Preset", list(SIZES), index=1, captions=captions, format_func=str.capitalize,
                        horizontal=True, key="size", bind="query-params")  # fmt: skip
    base = base_fields(task, size, sites, rerun)
    key = f"form-{rerun or f'{task}-{size}'}"
    fields = {"kind": "train", "task": task, **_groups(base, task, sites, key), "data": {}}
    try:
        made = specs.build(fields)
        cached.completed(made)
    except CxrlabError as error:
        return Wish(problem=str(error)), base
    return Wish(made, runs=(made,)), base


def _size_cost(task: str, size: str, sites: list[str]) -> str:
    try:
        made = specs.build(base_fields(task, size, sites, ""))
    except CxrlabError:  # the form says it beside the start button
        return ""
    return f"One run, {cost_line(estimate([made], n_images(), Lab.here()))}."


def _groups(base: dict[str, Any], task: str, sites: list[str], key: str) -> dict[str, Any]:
    home = (st.session_state.get(f"{key}.source") or base["view"]["source"])[:1]
    at_home = cached.store(home[0]).header.labels if home and home[0] in sites else ()
    encoders = [run_id for run_id, run in choose.train_runs().items() if run.task == "autoencoder"]
    networks = list(presets.NETWORKS_OF[task])
    looks = {
        "view": forms.Look(
            {
                "source": sites,
                "external": sites,
                **{name: list(at_home) for name in ("labels", "uncertain_of", "blank_of")},
            },
            words=POLICIES,
            hidden=() if task == "labels" else ("uncertain_of",),
        ),
        "model": forms.Look(
            {"name": networks, "latents_of": ["", *encoders]},
            notes={"name": presets.NETWORKS},
        ),
        "training": forms.Look(),
    }
    models = {"view": specs.ViewSpec, "model": specs.ModelSpec, "training": specs.TrainingSpec}
    said: dict[str, Any] = {}
    columns = st.columns(2, gap="medium")
    for k, (name, model) in enumerate(models.items()):
        with columns[min(k, 1)], st.container(border=True, key=f"group-{name}"):
            title, _, rest = (model.__doc__ or "").partition(":")
            st.markdown(f"**{title}**", help=rest.strip().capitalize())
            said[name] = forms.draw(model, base.get(name, {}), key, looks[name])
    with columns[0], st.container(border=True, key="group-compute"):
        st.markdown("**Compute**", help="What repeats the run, and how much it draws.")
        hidden = ("kind", "task", "view", "model", "training", "data")
        hidden += ("teacher",) if task == "autoencoder" else ()
        teachers = [run_id for run_id, run in choose.train_runs().items() if run.task == task]
        look = forms.Look({"teacher": ["", *teachers]}, words={"teacher": {"": "none"}}, hidden=hidden)
        said |= forms.draw(specs.TrainSpec, base, key, look)
    augment_preview.offer(said["view"]["source"], said["training"]["augment"], said["view"]["image_px"], key)
    return said


# The column that stays ----------------------------------------------------------------------------------------------


def differences(base: dict[str, Any], made: Any) -> list[tuple[str, str, str]]:
    """Return (field, before, now) of every field that differs from where the form began."""
    before = run_facts.flat(specs.build(base).model_dump(mode="json"))
    now = run_facts.flat(made.model_dump(mode="json"))
    names = dict.fromkeys([*now, *before])  # a table by label has a field a row
    changed = [name for name in names if before.get(name) != now.get(name)]
    return [(name, _short(before.get(name, "")), _short(now.get(name, ""))) for name in changed]


def _short(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def will_run(wish: Wish, base: dict[str, Any] | None) -> None:
    """Draw what will run, what it costs, how it differs, the same as a command, and Start."""
    st.subheader("What will run", anchor=False)
    if wish.problem:
        st.error(wish.problem, icon=":material/error:")
        st.button("Start", type="primary", disabled=True, key="start", icon=":material/play_arrow:")
        return
    cost = estimate(list(wish.runs), n_images(), Lab.here())
    st.markdown(
        f"**{words.count(len(wish.runs), 'run')}**, about **{words.duration(cost.seconds)}**, "
        f"**{words.size(cost.n_bytes)}**",
        help=f"At most: early stopping makes it less. Estimated {cost.basis}.",
    )
    for run in wish.runs:
        where = f", then scored at {words.listing(run.view.external)}" if run.view.external else ""
        st.caption(
            f"{words.TASKS[choose.task_of(run)].capitalize()}: {run.model.name}, {run.view.image_px} px, "
            f"{words.count(run.training.epochs, 'epoch')} at {words.listing(run.view.source)}{where}."
        )
    for sentence in wish.left_out:
        st.warning(f"Left out: {sentence}", icon=":material/info:")
    if base is not None:
        _draw_differences(differences(base, wish.spec))
    start(wish)
    _as_command(wish.spec)


def _draw_differences(changed: list[tuple[str, str, str]]) -> None:
    if not changed:
        st.caption("As it began: nothing was changed.")
        return
    st.caption("Changed:")
    st.markdown(
        "\n".join(f"- `{name}`: {before or 'none'} → **{now or 'none'}**" for name, before, now in changed)
    )


def start(wish: Wish) -> None:
    """Draw Start; once pressed, submit the job and go to where it can be watched."""
    known = _already(wish.spec)
    if known:
        st.caption(
            f"This run is in the lab already: {words.STATES[known]}. Starting it again leaves a done run as it is."
        )
    if st.button("Start", type="primary", key="start", icon=":material/play_arrow:"):
        run_id = jobs.submit(Lab.here(), wish.spec)
        frame.go("runs", run=run_id)
    st.caption("It runs as a process of its own and goes on when this tab is closed.")


def _already(made: Any) -> str:
    whole = cached.completed(made)
    there = Lab.here().run(whole.run_id)
    return cached.status(whole.run_id).state if there.spec.exists() else ""


def _as_command(made: Any) -> None:
    with st.expander("The same as a command"):
        if made.kind == "study":
            external = f" --external {' '.join(made.external)}" if made.external else ""
            line = f"python -m cxrlab study --source {made.source}{external} --preset {made.preset} --seed {made.seed}"
            line += " --allow-overlap" * made.allow_overlap
        else:
            line = "python -m cxrlab run spec.json"
        st.code(line, language="bash", wrap_lines=True)
        text = json.dumps(made.model_dump(mode="json"), indent=1)
        st.caption("spec.json")
        st.code(text, language="json", height=260)
        st.download_button(
            "Save spec.json", text, "spec.json", "application/json", key="spec-json", on_click="ignore"
        )
