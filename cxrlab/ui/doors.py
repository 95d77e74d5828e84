"""An empty lab: what this is, and three ways in.

In:    the lab folder.
Out:   the screen of a newcomer; a demo study that runs by itself once asked for.
Never: work inside the page: the study is a detached job.
"""

import streamlit as st

from cxrlab import jobs, spec
from cxrlab.facts.estimate import estimate
from cxrlab.paths import Lab
from cxrlab.ui import cached, frame, live, words

DRAWN_A_SECOND = 60  # phantoms drawn, written and read back on two cores
STORED_PX = 224

WHAT = """
Train a chest X-ray model at one site, freeze it, and test it at others.
cxrlab shows label by label where it still works, where it fails, and how sure that is.
Then it shows why: how far each site is from home, and where the model looked when it failed.
"""

TOUR = (
    (
        "Sites",
        "One hospital or collection each. Before any model, look at what differs: ages, prevalence, machines.",
    ),
    ("Launch", "Choose a home site and a preset. The run goes on when you close the tab."),
    (
        "Generalization",
        "The gap of every label at every site, with its interval and a verdict, or 'cannot say'.",
    ),
    ("Thresholds", "Move the cut and see what changes sides. A cut tuned at home may not fit elsewhere."),
    ("Shift", "How unlike home a site looks to an autoencoder, and whether that goes with the loss."),
    ("Heatmaps", "The failures themselves, and where the model looked."),
)


def demo_spec() -> spec.StudySpec:
    """Return the phantom study: the same as the command line's."""
    from cxrlab import phantom

    names = [name for name, _, _ in phantom.DEMO]
    return spec.StudySpec(source=names[0], external=tuple(names[1:]), preset="demo", make="phantom")


def demo_cost() -> tuple[float, float]:
    """Return (seconds, bytes) of the demo study, drawing included."""
    from cxrlab import phantom, presets

    n = {name: images for name, _, images in phantom.DEMO}
    home, *others = n
    runs = []
    for task in presets.TASKS:
        fields = presets.training("demo", task)
        if task == "normal-latents":
            fields["model"]["latents_of"] = "autoencoder"
        view = {**fields["view"], "source": (home,), "external": tuple(others)}
        runs.append(
            spec.build({"kind": "train", "task": task.removesuffix("-latents"), **fields, "view": view})
        )
    cost, images = estimate(runs, n, Lab.here()), sum(n.values())
    return cost.seconds + images / DRAWN_A_SECOND, cost.n_bytes + 2.5 * images * STORED_PX**2


def empty_lab() -> None:
    """Draw the three doors."""
    st.markdown(WHAT)
    demo, own, tour = st.columns(3, gap="medium")
    with demo.container(border=True, height="stretch", key="door-demo"):
        st.subheader("Build the demo study", anchor=False)
        seconds, n_bytes = demo_cost()
        st.markdown(
            "Four drawn hospitals, an autoencoder, a DenseNet-121 and two normal/abnormal heads, scored everywhere, "
            "with heatmaps. No patient data."
        )
        st.caption(
            f"About {words.duration(seconds)} on two cores and {words.size(n_bytes)} in `{Lab.here().root}`. "
            "It goes on when this tab is closed."
        )
        if st.button("Build the demo study", type="primary", icon=":material/science:", key="build-demo"):
            jobs.submit(Lab.here(), demo_spec())
            st.rerun()
    with own.container(border=True, height="stretch", key="door-import"):
        st.subheader("Import a site", anchor=False)
        st.markdown(
            "A raw folder as its owner publishes it, or any images with a table. A dry run first shows "
            "what would be read and what is odd."
        )
        st.caption("Nothing leaves this machine.")
        frame.link("sites", "Open the import form", icon=":material/dataset:", do=frame.IMPORT)
    with tour.container(border=True, height="stretch", key="door-tour"):
        st.subheader("Three-minute tour", anchor=False)
        st.markdown("What each page answers, in the order in which a study is read.")
        with st.expander("Take the tour", icon=":material/explore:"):
            for title, sentence in TOUR:
                st.markdown(f"**{title}.** {sentence}")


def building(run_id: str) -> None:
    """Draw a study under way, with what is there already; the page renews itself when more is there."""
    st.session_state["building-seen"] = _seen(run_id)
    _building(run_id)


def _seen(run_id: str) -> tuple:
    """Return what decides the rest of the page: the study's state, the sites, the scored sites."""
    lab = Lab.here()
    children = jobs.children(lab.run(run_id)).values()
    return cached.status(run_id).state, lab.sites(), [cached.scored_sites(child) for child in children]


@st.fragment(run_every=live.EVERY)
def _building(run_id: str) -> None:
    with frame.caught():
        run = Lab.here().run(run_id)
        now = cached.status(run_id)
        with st.container(border=True, key="building"):
            with st.container(horizontal=True, vertical_alignment="center"):
                st.markdown(f"**{run_id}**", width="content")
                live.badge(now)
            live.bar(now)
            parts = [f"{words.TASKS[task]}: {_child(child)}" for task, child in jobs.children(run).items()]
            st.caption(" · ".join(parts))
            if now.is_alive:
                st.caption("It goes on when this tab is closed. Cancel it on Runs.")
        if not now.is_alive:
            frame.link("runs", "Open Runs to see why, or to resume it", icon=":material/list_alt:")
        if _seen(run_id) != st.session_state["building-seen"]:
            st.rerun()


def _child(run_id: str) -> str:
    return cached.status(run_id).state if Lab.here().run(run_id).spec.exists() else "not begun"


def unfinished_studies() -> list[str]:
    """Return the studies that are under way, the latest first, and the very latest when it did not end well."""
    lab = Lab.here()
    names = [run_id for run_id in lab.run_ids() if run_id.startswith("study-")]
    names.sort(key=lambda name: -lab.run(name).spec.stat().st_mtime_ns)
    now = {name: cached.status(name) for name in names}
    return [name for name in names if now[name].is_alive or (name == names[0] and now[name].state != "done")]
