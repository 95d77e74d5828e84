"""The form that makes a store of a raw folder: dry run first, then a process of its own.

In:    what a person types.
Out:   imports.Request; what is being read, drawn as it goes.
Never: decoding many images inside the page.
"""

from pathlib import Path

import pandas as pd
import streamlit as st

from cxrlab import files
from cxrlab.errors import BadInput
from cxrlab.facts import site_facts
from cxrlab.intake import imports
from cxrlab.paths import Lab
from cxrlab.ui import frame, live, site_changes, strips, words
from cxrlab.ui.figures import base

SAMPLES = 10
MAPS = {"narrow": "narrow", "broad": "broad", "": "an edited copy"}
DO = frame.IMPORT


def draw() -> None:
    """Draw the form, its dry run, and the imports under way."""
    from cxrlab.sites import SITES

    st.markdown(
        "A site is one hospital or collection. Its images are reduced and stored once, with what its labeller said; "
        "nothing is decided about doubtful labels here."
    )
    left, right = st.columns([2, 3], gap="large")
    with left:
        dataset = st.selectbox(
            "Read as", list(SITES), key="import-dataset", format_func=lambda name: f"{name}: {SITES[name].title}",
            help="Which dataset's layout the folder has. 'folder' takes any images with a table or class folders.",
        )  # fmt: skip
        plugin = SITES[dataset]
        st.caption(f"Expects {plugin.expects}")
        st.caption(f"Licence: {plugin.licence}")
        raw = st.text_input(
            "Raw folder", key="import-raw", placeholder="/data/hospital", help="On this machine."
        )
        site = st.text_input("Name of the site", key="import-site", placeholder="hospital",
                             help="Lower-case letters, digits, '-' and '_'; it names the site on every page.")  # fmt: skip
        px = st.select_slider(
            "Stored side, px",
            [64, 96, 128, 160, 224, 256, 320, 384, 512, 768, 1024, 2048],
            value=224,
            key="import-px",
        )
        chosen_map = map_field(plugin.label_map, dataset) if plugin.label_map else {}
        with st.expander("Limit and options"):
            limit = st.number_input("At most so many images (0: all)", 0, 10_000_000, 0, key="import-limit")
            known = {
                name: what for name, what in plugin.all_options.items() if name != "map" or not chosen_map
            }
            options = option_fields(dataset, known) | chosen_map
        with st.container(horizontal=True):
            wants_preview = st.button("Dry run", icon=":material/visibility:", key="import-dry")
            wants_start = st.button("Import", type="primary", icon=":material/download:", key="import-start")
    with right, frame.caught():
        if wants_preview or wants_start:
            request = request_of(dataset, raw, site, px, limit, options)
            if wants_start:
                imports.start(Lab.here(), request)
            else:
                show_preview(request)
        else:
            st.caption(
                "The dry run shows here what would be read, what is odd, and a few images. It writes nothing."
            )
        under_way()


def map_field(of: str, dataset: str) -> dict[str, str]:
    """Draw the choice of a label map and return it as an option; {} for one that is not filled in yet."""
    from cxrlab import labelmap

    kind = st.segmented_control(
        "Label map", list(MAPS), default="narrow", required=True, key=f"import-map-{dataset}",
        format_func=MAPS.get, help="Which of the site's own labels count as which of ours. 'broad' counts more of them.",
    )  # fmt: skip
    if kind:
        st.download_button(
            "Copy of this map, to edit", labelmap.copy(of, kind), f"{of}-{kind}.csv", "text/csv", icon=":material/table_edit:",
            key=f"import-map-copy-{dataset}", type="tertiary",
        )  # fmt: skip
        return {"map": kind}
    path = st.text_input("Edited map", key=f"import-map-path-{dataset}", placeholder="/data/map.csv",
                         help="The path of your edited copy on this machine; the store records its rules.").strip()  # fmt: skip
    return {"map": path} if path else {}


def option_fields(dataset: str, known: dict[str, str]) -> dict[str, str]:
    """Draw a field for each option of a dataset and return those that were filled in."""
    said: dict[str, str] = {}
    for name, what in known.items():
        if name.endswith(":"):
            lines = st.text_area(
                f"{name}…, one a line as name=value", key=f"import-{dataset}-{name}", help=what, height=90
            )
            pairs = (line.partition("=") for line in lines.splitlines() if "=" in line)
            said |= {f"{name}{left.strip().removeprefix(name)}": right.strip() for left, _, right in pairs}
        else:
            said[name] = st.text_input(name, key=f"import-{dataset}-{name}", help=what).strip()
    return {name: value for name, value in said.items() if value}


def request_of(
    dataset: str, raw: str, site: str, px: int, limit: int, options: dict[str, str]
) -> imports.Request:
    """Return what the form asks for.

    Raises:
        BadInput: no folder was named, or the site's name is unsafe.
    """
    if not raw.strip():
        raise BadInput("no raw folder was named; type the path of one on this machine.")
    files.check_name(site, "site")
    return imports.Request(dataset, str(Path(raw).expanduser().resolve()), site, px, limit or None, options)


def show_preview(request: imports.Request) -> None:
    """Draw what an import would read."""
    from cxrlab import ingest

    with st.spinner("Reading the tables and a few images"):
        found = ingest.preview(request.dataset, Path(request.raw), request.site, request.options, n=SAMPLES)
    st.markdown(
        f"**{found.title}**: {words.count(found.n_images, 'image')} of {words.count(found.n_patients, 'patient')}, "
        f"{words.count(len(found.quarantine), 'file')} left out. Nothing was written."
    )
    for sentence in found.odd:
        st.caption(f"– {sentence}")
    if found.samples:
        import numpy as np

        strips.sheet(
            np.stack([image for _, image, _ in found.samples]),
            [said[:40] for _, _, said in found.samples],
            [f"{name}: {said}" for name, _, said in found.samples],
            SAMPLES // 2,
            "preview",
        )
    st.markdown("**What its labels become**")
    table = site_changes.worded_ledger(site_facts.ledger(found.ledger))
    base.table(table, "preview-ledger", alt="Native labels and what they become")
    st.markdown("**What the labeller said, in our words**")
    base.table(found.labels, "preview-labels", alt="Evidence a label")
    if found.quarantine:
        with st.expander(f"{words.count(len(found.quarantine), 'file')} left out, with reasons"):
            base.table(pd.DataFrame(found.quarantine, columns=["file", "reason"]), "preview-quarantine")


def under_way() -> None:
    """Draw the imports that have no store yet; renew the page when one ends."""
    st.session_state["sites-seen"] = Lab.here().sites()
    _under_way()


@st.fragment(run_every=live.EVERY)
def _under_way() -> None:
    with frame.caught():
        now = imports.under_way(Lab.here())
        for site, status in now.items():
            with st.container(border=True, key=f"importing-{site}"):
                with st.container(horizontal=True, vertical_alignment="center"):
                    st.markdown(f"**{site}**", width="content")
                    live.badge(status)
                live.bar(status)
        if Lab.here().sites() != st.session_state["sites-seen"]:
            st.rerun()
