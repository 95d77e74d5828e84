"""What shall we run: a whole study, or one network by the groups of its spec.

In:    the lab's sites and runs; what a person chooses.
Out:   a Wish, and the fields that the form began with.
Never: defaults of its own; what will come of it (will_run).
"""

from typing import Any

import streamlit as st

from cxrlab import presets, studies
from cxrlab import spec as specs
from cxrlab.choices import strategies
from cxrlab.errors import BadSpec, CxrlabError
from cxrlab.facts.estimate import estimate
from cxrlab.jobs import request
from cxrlab.paths import Lab
from cxrlab.sweeps import expand
from cxrlab.ui import augment_preview, cached, choose, forms, going_on, newcomers, words
from cxrlab.ui.will_run import Wish, cost_line, n_images

OVERLAP = "allow_overlap"
MOCO = "moco_options"
# What the switch says, and so what the URL says.
STUDY, NETWORK, SWEEP, QUESTION = "A whole study", "One network", "A sweep", "A question"
TASKS = {
    "labels": "Findings",
    "normal": "Normal or abnormal",
    "autoencoder": "Reconstruction",
    presets.PRETRAINING: "Pretraining",
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
# Fields of the group Data that a task has no use for.
UNASKED = {
    "labels": (),
    presets.PRETRAINING: ("external", "labels", "uncertain", "uncertain_of", "blank", "blank_of"),
}
NORMALISE = {
    "site": "home's mean and deviation",
    "imagenet": "ImageNet's mean and deviation",
    "minmax": "each image 0 to 1",
    "percentile": "each image, 0.5 to 99.5 percentile",
    "zscore": "each image's z-score",
}
CONTRAST = {"clahe": "CLAHE", "nyul": "Nyúl"}
LAYERS = {"all": "all", "last-block": "last block", "head": "head only"}
HEADS = {"shared": "one for all", "by-site": "one a home"}
SELECT = {
    "auto": "the task's own rule",
    "val-macro-auroc": "validation AUROC",
    "val-macro-auprc": "validation AUPRC",
    "val-loss": "validation loss",
    "val-mse": "validation MSE",
    "last": "none: the last epoch",
}
IMAGES = {"normalise": NORMALISE, "contrast": CONTRAST}
GROUPS = {
    "view": specs.ViewSpec,
    "model": specs.ModelSpec,
    "training": specs.TrainingSpec,
    "strategy": specs.StrategySpec,
}
POLICIES = {"uncertain": UNCERTAIN, "uncertain_of": UNCERTAIN, "blank": BLANK, "blank_of": BLANK}


def kinds_of(rerun: str) -> list[str]:
    """Return what a run can be changed into. Raises BadSpec for one that trained nothing here."""
    kind = cached.run_spec(rerun).kind
    known = {"study": [STUDY], "sweep": [SWEEP], "train": [NETWORK, SWEEP]}
    if kind not in known:
        raise BadSpec(f"{rerun}: nothing was trained here, so there is nothing to rerun with changes.")
    return known[kind]


# A study ------------------------------------------------------------------------------------------------------------


def study_form(sites: list[str], rerun: str = "") -> tuple[Wish, dict[str, Any] | None]:
    """Draw the form of a whole study; return what it says, and the fields that a rerun began with."""
    base = cached.run_spec(rerun).model_dump(mode="json") if rerun else None
    start, key = base or {}, f"study-{rerun}" if rerun else "study"
    if rerun:
        # A demo study draws its sites; they are here now.
        base = {**start, "make": "", "data": {}}
    first = start["source"] if start.get("source") in sites else newcomers.first_home(sites)
    home = st.selectbox("Home site", sites, index=sites.index(first), key=f"{key}-home", persist_state="session",
                        help="The only site that training sees.")  # fmt: skip
    others = [site for site in sites if site != home]
    chosen = [site for site in start["external"] if site in others] if rerun else newcomers.of(home, others)
    external = st.multiselect("External sites", others, default=chosen, key=f"{key}-external-{home}",
                              persist_state="session", help="The frozen models are scored there.")  # fmt: skip
    if not rerun:
        newcomers.say_known(home, sites)
    sizes = [size for size in SIZES if size in ("quick", "full", start.get("preset"))]
    preset = st.radio(
        "Preset",
        sizes,
        index=sizes.index(start.get("preset", "quick")),
        captions=[f"{SIZES[size]} {_study_cost(home, tuple(external), size)}" for size in sizes],
        format_func=str.capitalize,
        key=f"{key}-preset",
        persist_state="session",
    )
    seed = st.number_input("Seed", 0, 2**31 - 1, start.get("seed", 0), key=f"{key}-seed", persist_state="session",
                           help="Decides first weights, order of rows and augmentation.")  # fmt: skip
    with st.expander("Advanced"):
        info = specs.ViewSpec.model_fields[OVERLAP]
        overlap = forms.one(OVERLAP, info, start.get(OVERLAP, False), f"{key}-{OVERLAP}", forms.Look())
    try:
        made = specs.build(
            {"kind": "study", "source": home, "external": external, "preset": preset, "seed": int(seed),
             OVERLAP: overlap}
        )  # fmt: skip
        outline = cached.outline(made)
    except CxrlabError as error:
        return Wish(problem=str(error)), base
    left_out = tuple(f"{studies.NAMES[task]}: {why}" for task, why in outline.left_out.items())
    return Wish(made, runs=tuple(outline.specs.values()), left_out=left_out), base


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
        if known.kind == "sweep":
            return {**expand.expand(known).cells[0].spec.model_dump(mode="json"), "data": {}}
        return {**known.model_dump(mode="json"), "data": {}}
    home = newcomers.first_home(sites)
    fields = presets.training(size, task)
    labels = cached.learnable(home) or cached.store(home).header.labels
    others = [] if task == presets.PRETRAINING else newcomers.of(home, sites)  # it is not scored
    view = {"source": [home], "external": others, "labels": list(labels)}
    stored = min(min(cached.store(site).image_shape) for site in sites)
    px = max(28, min(stored, fields["view"]["image_px"]))  # enlarging a small store would invent a shift
    n = request.n_training(Lab.here(), (home,))
    fields["training"] = {**fields["training"], "batch": max(2, min(fields["training"]["batch"], n))}
    return {"kind": "train", "task": task, **fields, "view": {**fields["view"], **view, "image_px": px}}


def network_form(sites: list[str], rerun: str) -> tuple[Wish, dict[str, Any]]:
    """Draw the groups of a training spec; return what they say and the fields that they started from."""
    fields, base, key = network_fields(sites, rerun)
    if lacking := unsaid(fields):
        return Wish(problem=lacking), base
    try:
        made = specs.build(fields)
        cached.completed(made)
    except CxrlabError as error:
        return Wish(problem=forms.titled(str(error), GROUPS), mend=going_on.mend(fields, key)), base
    return Wish(made, runs=(made,)), base


def unsaid(fields: dict[str, Any]) -> str:
    """Return the sentence for the first field that must name something and names nothing; "" when all do."""
    for group, model in GROUPS.items():
        for name, info in model.model_fields.items():
            if forms.must_name(info) and not fields[group].get(name, True):
                return f"{forms.label_of(name, info)}: nothing is chosen; choose at least one."
    return ""


def network_fields(sites: list[str], rerun: str) -> tuple[dict[str, Any], dict[str, Any], str]:
    """Draw the groups of a training spec.

    Returns:
        Its fields, not yet checked, those that it began with, and the prefix of the widgets' keys.
    """
    if rerun:
        task, size = base_fields("", "", sites, rerun)["task"], ""
    else:
        task = st.segmented_control("Task", list(TASKS), default="labels", required=True, format_func=TASKS.get,
                                    key="task", bind="query-params", wrap=True)  # fmt: skip
        captions = [f"{SIZES[size]} {_size_cost(task, size, sites)}" for size in SIZES]
        size = st.radio("Preset", list(SIZES), index=1, captions=captions, format_func=str.capitalize,
                        horizontal=True, key="size", bind="query-params")  # fmt: skip
    base = base_fields(task, size, sites, rerun)
    if not rerun and task != presets.PRETRAINING:
        newcomers.say_known(base["view"]["source"][0], sites)
    key = f"form-{rerun or f'{task}-{size}'}"
    return {"kind": "train", "task": task, **_groups(base, task, sites, key), "data": {}}, base, key


def _size_cost(task: str, size: str, sites: list[str]) -> str:
    try:
        made = specs.build(base_fields(task, size, sites, ""))
    except CxrlabError:  # the form says it beside the start button
        return ""
    return f"One run, {cost_line(estimate([made], n_images(), Lab.here()))}."


def _groups(base: dict[str, Any], task: str, sites: list[str], key: str) -> dict[str, Any]:
    homes = [
        site for site in st.session_state.get(f"{key}.source") or base["view"]["source"] if site in sites
    ]
    looks = _looks(task, sites, homes)
    said: dict[str, Any] = {}
    with st.container(key="groups"):  # side by side where there is room: theme
        left, right = st.columns(2, gap="medium")
    for name, model in GROUPS.items():
        with right if name in ("model", "training") else left, st.container(border=True, key=f"group-{name}"):
            title, _, rest = (model.__doc__ or "").partition(":")
            st.markdown(f"**{title}**", help=rest.strip().capitalize())
            if name == "strategy" and task in ("labels", "normal"):
                _strategies(base, key, len(homes))
            said[name] = forms.draw(model, base.get(name, {}), key, looks[name])
            if name == "strategy" and task == presets.PRETRAINING:
                given = dict(base.get(name, {}).get(MOCO) or {})
                said[name][MOCO] = forms.own_options(strategies.CHOICES["moco"], given, f"{key}.{MOCO}")
    with right, st.container(border=True, key="group-compute"):
        st.markdown("**Compute**", help="What repeats the run, and how much it draws.")
        said |= forms.draw(specs.TrainSpec, base, key, looks["compute"])
    augment_preview.offer(said["view"]["source"], said["training"]["augment"], said["view"]["image_px"], key)
    return said


def _strategies(base: dict[str, Any], key: str, n_homes: int) -> None:
    """Draw the choice of a named strategy, which fills in the fields below it, with what is left for a person to say."""
    known = [name for name, one in strategies.CHOICES.items() if one.fields.get("task") is None]
    name = st.selectbox(
        "Fill in as",
        ["", *known],
        format_func=lambda one: strategies.CHOICES[one].title if one else "what stands below",
        key=f"{key}-strategy",
        persist_state="session",
        on_change=_fill_in,
        args=(base, key),
        help="A named strategy sets the fields that make it; the rest of the form stays. They can be changed afterwards.",
    )
    if not name:
        return
    one = strategies.CHOICES[name]
    wants = [f"at least {one.homes} home sites"] if n_homes < one.homes else []
    wants += [f"**Start from**: {one.start}"] if one.start else []
    asks = [path.rpartition(".")[2] for path in one.asks if not one.start or not path.endswith("start_from")]
    fields = {**specs.StrategySpec.model_fields, "teacher": specs.TrainSpec.model_fields["teacher"]}
    wants += [f"**{forms.label_of(ask, fields[ask])}**" for ask in asks]
    st.caption(one.sentence + (f" It wants {words.listing(wants)}." if wants else ""))


def _fill_in(base: dict[str, Any], key: str) -> None:
    """Put a named strategy's fields into the form; what the one before it had set goes back to where the form began."""
    name, before = st.session_state[f"{key}-strategy"], st.session_state.get(f"{key}-strategy-was", "")
    st.session_state[f"{key}-strategy-was"] = name
    start = {
        group: {name: forms.default_of(info) for name, info in model.model_fields.items()}
        | base.get(group, {})
        for group, model in GROUPS.items()
    }
    undone = (
        {group: list(fields) for group, fields in strategies.CHOICES[before].fields.items()} if before else {}
    )
    for group, fields in undone.items():
        for field in fields:
            st.session_state[f"{key}.{field}"] = start[group][field]
    if name:
        for fields in strategies.CHOICES[name].fields.values():
            for field, value in fields.items():
                st.session_state[f"{key}.{field}"] = value


def _looks(task: str, sites: list[str], homes: list[str]) -> dict[str, forms.Look]:
    """Return what each group's form must know of the lab."""
    at_home = cached.store(homes[0]).header.labels if homes else ()
    runs = choose.train_runs()
    encoders = [run_id for run_id, run in runs.items() if run.task == "autoencoder"]
    alike = [run_id for run_id, run in runs.items() if run.task == task]
    starts = [run_id for run_id, run in choose.networks().items() if run.task in (task, presets.PRETRAINING)]
    networks = dict.fromkeys(
        [*presets.NETWORKS_OF[task], *(choose.networks()[one].model.name for one in starts)]
    )
    none = {"": "none"}
    by_label = {name: list(at_home) for name in ("labels", "uncertain_of", "blank_of")}
    hidden = ("kind", "task", "view", "model", "training", "strategy", "data")
    return {
        "view": forms.Look(
            {"source": sites, "external": sites, **by_label},
            words={**POLICIES, **IMAGES},
            hidden=UNASKED.get(task, ("uncertain_of",)),
        ),
        "model": forms.Look(
            {"name": list(networks), "latents_of": ["", *encoders]},
            words={"latents_of": none},
            open=("name",),
        ),
        "training": forms.Look(words={"select": SELECT}),
        "strategy": forms.Look(
            {"start_from": ["", *starts], "shares": homes},
            words={"start_from": none, "layers": LAYERS, "heads": HEADS},
            hidden=(MOCO,),
        ),
        "compute": forms.Look(
            {"teacher": ["", *alike]},
            words={"teacher": none},
            hidden=(*hidden, "teacher") if task == "autoencoder" else hidden,
        ),
    }
