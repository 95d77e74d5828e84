"""What was done to a site: what its labels became, what was left out, how its images were made, what it shares.

In:    an open store; where it came from on this machine.
Out:   drawn parts.
Never: counting; changing a store.
"""

import numpy as np
import pandas as pd
import streamlit as st

from cxrlab.errors import CxrlabError
from cxrlab.facts import site_facts
from cxrlab.intake import origin
from cxrlab.paths import Lab
from cxrlab.store import census
from cxrlab.ui import cached, frame, site_kin, strips, words
from cxrlab.ui.figures import base

THUMB_PX = 160
A_PAGE = 8  # thumbnails of what was left out
MOST = 2_000  # files left out that are sent to a browser at once
TALLEST = 14  # rows of a ledger that are shown without scrolling


def draw(site: str) -> None:
    """Draw ledger, what was left out, and the store's own facts."""
    read = cached.store(site)
    labels(read)
    left_out(site)
    site_kin.shared(site)
    site_kin.prepared(site)
    the_store(site)


def labels(read) -> None:
    """Draw what each of the site's own labels became, and by which map."""
    st.subheader("What became of its labels", anchor=False)
    table = site_facts.ledger(read.header.ledger)
    dropped = table[(table["label"] == "left out") & (table["images"] > 0)]
    said = f"{words.count(len(set(table['native'])), 'native label')}, {len(dropped)} left out. "
    base.table(
        worded_ledger(table),
        "ledger",
        alt=f"Native labels of {read.site} and what they became",
        columns={"note": st.column_config.TextColumn("note", width="large")},
        height="content" if len(table) <= TALLEST else 36 * TALLEST,
    )
    st.caption(said + map_words(read.header.preprocess.get("map")) + unannotated(read))


def worded_ledger(table: pd.DataFrame) -> pd.DataFrame:
    """Return the ledger with shares as text."""
    shares = {
        column: table[column].map(lambda share: words.percent(share) if words.is_known(share) else "–")
        for column in ("before", "after")
    }
    return table.assign(**shares).rename(
        columns={"native": "site's own label", "label": "became", "says": "as", "before": "of images before",
                 "after": "positive after"}
    )  # fmt: skip


def map_words(used: dict | None) -> str:
    """Return which label map was used, in one sentence."""
    if not used:
        return "No label map: the labels were already in our words. "
    kind = {"narrow": "the project's narrow map", "broad": "the project's broad map"}
    name = kind.get(used["origin"], f"the edited map {used['origin']}")
    return f"Mapped by {name} of {used['dataset']} (digest {used['digest'][:12]}). "


def unannotated(read) -> str:
    """Return which shared labels the site says nothing of."""
    silent = [label for label in site_facts.labels_in(read, "shared-9") if label not in read.header.labels]
    return f"Not annotated here, so neither yes nor no: {words.listing(silent)}." if silent else ""


def left_out(site: str) -> None:
    """Draw what was left out and why; with the raw folder at hand, also how it looks."""
    st.subheader("What was left out", anchor=False)
    table = cached.store(site).quarantine
    if not len(table):
        st.caption("Nothing: every file could be used.")
        return
    reasons = pd.DataFrame(census.count_reasons(list(table["reason"])))
    base.table(reasons, "reasons", alt=f"Reasons why files of {site} were left out", height="content")
    reason = st.selectbox(
        "Files left out because", ["", *reasons["reason"]], key="left-out", bind="query-params",
        format_func=lambda text: text or "any reason",
    )  # fmt: skip
    chosen = table[table["reason"] == reason] if reason else table
    base.table(chosen.head(MOST), "quarantine", alt=f"Files of {site} left out, with reasons")
    if len(chosen) > MOST:
        st.caption(f"The first {MOST:,} of {len(chosen):,}; the store holds all of them.")
    with frame.caught():
        thumbnails(site, chosen)


def thumbnails(site: str, table: pd.DataFrame) -> None:
    """Draw the first few of the files left out that can be decoded."""
    came_from = origin.read(Lab.here(), site)
    if came_from is None:
        st.caption("How they look cannot be shown: this lab does not know where the raw folder lay.")
        return
    images, captions, why = [], [], ""
    for file in list(dict.fromkeys(table["file"]))[: 4 * A_PAGE]:
        try:
            real = origin.real_name(Lab.here(), site, came_from, file)
            images.append(_thumbnail(came_from.dataset, came_from.raw, real))
            captions.append(file.rsplit("/", 1)[-1])
        except CxrlabError as error:
            why = str(error)
        if len(images) == A_PAGE:
            break
    if images:
        alts = [f"{name}, left out of {site}" for name in captions]
        strips.sheet(np.stack(images), captions, alts, A_PAGE, "left-out-pictures")
    else:
        st.caption(f"None of them can be shown as a picture ({why}).")


@st.cache_data(max_entries=256, show_spinner=False)
def _thumbnail(dataset: str, raw: str, file: str) -> np.ndarray:
    return origin.thumbnail(origin.Origin(dataset, raw), file, THUMB_PX)


def the_store(site: str) -> None:
    """Draw the facts of the file, and the button that reads all of it."""
    read = cached.store(site)
    st.subheader("The store", anchor=False)
    height, width = read.image_shape
    made = {
        key: value for key, value in read.header.preprocess.items() if key not in ("recipe", "map") and value
    }
    facts = {
        "file": str(read.path),
        "disk": words.size(read.path.stat().st_size),
        "images": f"{len(read):,} of {height} × {width} px",
        "digest": read.digest[:16],
        "source": read.header.source,
        "masks": ", ".join(read.mask_names) or "none",
        "boxes": f"{len(read.boxes):,}",
        "readers' votes": "kept" if read.votes is not None else "none",
        "further facts": ", ".join(read.facts) or "none",
        "made": ", ".join(f"{key}: {value}" for key, value in made.items()),
    }
    st.table(pd.DataFrame({"fact": list(facts), "value": list(facts.values())}), hide_index=True)
    with frame.caught():
        if st.button("Check every byte", key="check", help="Reads all images and compares their checksums"):
            from cxrlab import store

            with st.spinner(f"Reading {words.count(len(read), 'image')}"):
                wrong = store.check(read.path)
            for sentence in wrong:
                st.error(sentence)
            if not wrong:
                st.success(f"All {words.count(len(read), 'image')} are as they were written.")
