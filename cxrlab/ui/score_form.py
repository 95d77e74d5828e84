"""The form that makes a run of somebody else's scores: what was read, what each column means, then the import.

In:    an uploaded file or a path, names, what a person says of columns.
Out:   foreign.import_scores; its dry run, drawn.
Never: reading cells (foreign does it); an import that was not looked at first.
"""

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import streamlit as st

from cxrlab import files, foreign
from cxrlab.errors import BadInput
from cxrlab.foreign import columns
from cxrlab.foreign import table as tables
from cxrlab.labels import VOCABULARY
from cxrlab.paths import Lab
from cxrlab.ui import choose, frame, links, words
from cxrlab.ui.figures import base

DO = "Scores from elsewhere"
BY_NAME = "not said"
MEANINGS = (
    BY_NAME,
    *columns.FACTS,
    columns.SKIP,
    *(f"{kind}:{label}" for kind in ("prob", "y", "logit") for label in VOCABULARY),
)
MOST_MB = 64  # a larger file is read from its path


@dataclass(frozen=True)
class Wish:
    """What the form asks for; two equal wishes read the same."""

    name: str  # of the file, with what tells it from another of the same name
    site: str
    as_home: bool
    said: tuple[tuple[str, str], ...]
    truths: tuple[str, ...]


def draw() -> None:
    """Draw the form, the meaning of every column, and the dry run."""
    st.markdown(
        "Scores of a model that is not in this lab: a vendor's product, a published model, a colleague's notebook. One row an "
        "image, a score and a truth a finding. Every page of numbers works on them; maps need the model itself."
    )
    left, right = st.columns([2, 3], gap="large")
    with left:
        upload = st.file_uploader("File of scores", ["csv", "gz", "parquet"], key="scores-file", max_upload_size=MOST_MB,
                                  help="CSV (plain or .gz) or parquet.")  # fmt: skip
        typed = st.text_input(
            "Or its path on this machine", key="scores-path", placeholder="/data/vendor.csv"
        )
        site = st.text_input("Site that its images come from", key="scores-site", placeholder="hospital",
                             help="The name of a site of this lab joins the scores to its images.")  # fmt: skip
        run = st.text_input("Name of the run", key="scores-run", placeholder="from the file's name",
                            help="The same name again adds a site to the run.")  # fmt: skip
        as_home = st.toggle(
            "The model was trained here", key="scores-home",
            help="At this site, on other images. A third of the patients then tune the thresholds; the others are test rows.",
        )  # fmt: skip
        with st.expander("Other truths, and replacing"):
            truths = st.text_area(
                "What somebody else says of a finding, one a line", key="scores-truths", height=80,
                placeholder="rsna:Pneumonia=rsna_class:Lung Opacity vs *", help="READER:LABEL=COLUMN:WORD|WORD vs WORD",
            )  # fmt: skip
            replace = st.toggle("Take this file for the site's former one", key="scores-replace")
    with right, frame.caught(), _file(upload, typed) as (path, name):
        if path is None:
            st.caption("Choose a file: what its columns mean, and what would be read, appear here first.")
            return
        said = _meanings(path, name)
        wish = Wish(
            name, site.strip(), as_home, said, tuple(filter(None, map(str.strip, truths.splitlines())))
        )
        _read(path, wish, run.strip(), replace=replace)


@contextlib.contextmanager
def _file(upload: object | None, typed: str) -> Iterator[tuple[Path | None, str]]:
    """Give the file as a path, for as long as the block lasts, with a name that changes when its contents do."""
    if upload is not None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / Path(upload.name).name
            path.write_bytes(upload.getvalue())
            yield path, f"{path.name} {upload.file_id}"
    elif typed.strip():
        path = Path(typed.strip()).expanduser()
        yield path, f"{path} {path.stat().st_mtime_ns if path.is_file() else ''}"
    else:
        yield None, ""


@st.cache_data(max_entries=4, show_spinner="Reading the file")
def _raw(name: str, _path: Path) -> pd.DataFrame:
    return tables.load(_path)


def _meanings(path: Path, name: str) -> tuple[tuple[str, str], ...]:
    """Draw what each column means and return what a person said otherwise."""
    raw = _raw(name, path)
    guessed: dict[str, str] = {}
    try:
        guessed = columns.guess(list(raw.columns), {}, path.name).columns
    except BadInput as error:
        st.warning(f"Not every name speaks for itself: {error}", icon=":material/help:")
    first = raw.head(3).astype(str)
    rows = pd.DataFrame({
        "column": list(raw.columns), "means": [guessed.get(c, BY_NAME) for c in raw.columns],
        "first cells": [" · ".join(first[c])[:60] for c in raw.columns],
    })  # fmt: skip
    extra = [meaning for meaning in guessed.values() if meaning not in MEANINGS]
    edited = st.data_editor(
        rows, key=f"scores-columns-{name}", hide_index=True, disabled=["column", "first cells"], height=280,
        column_config={"means": st.column_config.SelectboxColumn(
            "means", options=[*MEANINGS, *extra], help="prob: a probability, y: the truth. Not said: text is kept as a property to "
            "look at apart, numbers are left out.")},
    )  # fmt: skip
    now = edited["means"].fillna(BY_NAME)
    changed = [
        (column, columns.SKIP if new == BY_NAME else new)
        for column, old, new in zip(rows["column"], rows["means"], now, strict=True)
        if new != old
    ]
    return tuple(changed)


def _read(path: Path, wish: Wish, run: str, *, replace: bool) -> None:
    """Draw the two buttons and what was read."""
    with st.container(horizontal=True):
        look = st.button("Dry run", icon=":material/visibility:", key="scores-dry")
        seen = st.session_state.get("scores-seen") == wish
        go = st.button("Import", type="primary", icon=":material/download:", key="scores-import", disabled=not (seen or look),
                       help="After a dry run of exactly this.")  # fmt: skip
    if not (look or seen):
        st.caption("The dry run says what would be read. It writes nothing.")
        return
    if not wish.site:
        raise BadInput("no site was named; say where the images of this file come from.")
    files.check_name(wish.site, "site")
    if go and seen:
        done = foreign.import_scores(
            Lab.here(), path, wish.site, run=run, as_home=wish.as_home, said=dict(wish.said), truths=wish.truths,
            replace=replace,
        )  # fmt: skip
        _done(done)
        return
    _told(_preview(wish, path))
    st.session_state["scores-seen"] = wish
    if not seen:
        st.rerun()  # so that the button to import is there


@st.cache_data(max_entries=4, show_spinner="Trying it out")
def _preview(wish: Wish, _path: Path) -> foreign.Imported:
    return foreign.preview(_path, wish.site, as_home=wish.as_home, said=dict(wish.said), truths=wish.truths)


def _told(found: foreign.Imported) -> None:
    """Draw what would be read."""
    splits = ", ".join(f"{words.count(n)} {split}" for split, n in found.splits.items())
    st.markdown(
        f"**{words.count(found.n_images, 'image')}** of {words.count(found.n_patients, 'patient')} ({splits}), "
        f"{words.count(len(found.labels), 'finding')}. Nothing was written."
    )
    st.caption(f"Findings: {words.listing(found.labels)}.")
    for what, names in (("To look at apart", found.groups), ("Other truths", list(found.readers))):
        if names:
            st.caption(f"{what}: {words.listing(names)}.")
    for note in found.notes:
        st.caption(f"– {note}")
    meant = pd.DataFrame(list(found.columns.items()), columns=["column", "taken as"])
    with st.expander("What every column was taken for"):
        base.table(meant, "scores-taken", alt="Columns of the file and their meaning")


def _done(done: foreign.Imported) -> None:
    """Say what came in and where to look at it."""
    pictures = (
        f" {words.count(done.n_pictures)} of them have an image in this lab." if done.n_pictures else ""
    )
    was = "was there already" if done.already else "is in"
    st.success(
        f"`{done.run_id}` {was}: {words.count(done.n_images, 'image')} at {done.site}.{pictures}",
        icon=":material/check:",
    )
    home = next(iter(choose.cached.home_of(done.run_id)), choose.UNKNOWN)
    there = {"home": home, "run_labels": done.run_id}
    pages = (("Generalization", "generalization"), ("Thresholds", "thresholds"))
    links.draw(("See its numbers on", [(text, links.address(page, **there)) for text, page in pages]))
