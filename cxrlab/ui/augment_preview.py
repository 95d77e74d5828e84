"""What an augmentation does to a few images of home, before a run is started.

In:    a site, an augmentation's name, an image side.
Out:   pictures: as they are, and three draws of each.
Never: torch: a short process of its own draws (augment.preview).
"""

import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import streamlit as st

import cxrlab
from cxrlab.choices.augmentations import CHOICES
from cxrlab.errors import BadRun, CxrlabError, MissingInput
from cxrlab.paths import Lab
from cxrlab.ui import cached, strips, words

N_IMAGES = 6
COLUMNS = 2
PATIENCE = 120  # seconds


@dataclass(frozen=True)
class Drawn:
    """rows (N,) int64 of the store, original (N, px, px) and changed (N, K, px, px) uint8."""

    rows: np.ndarray
    original: np.ndarray
    changed: np.ndarray


def offer(sites: tuple[str, ...] | list[str], name: str, image_px: int, key: str) -> None:
    """Draw a switch, and under it what the augmentation `name` does to images of the first of `sites`."""
    if not sites or name not in CHOICES:  # the form says what is missing
        return
    shown = st.toggle(
        "Show what augmentation does",
        key=f"{key}.augment-preview",
        help="Draws a few images of home as training would see them.",
    )
    if shown:
        draw(sites[0], name, image_px)


def draw(site: str, name: str, image_px: int) -> None:
    """Draw images of a site beside three draws of each, or a sentence why that cannot be."""
    choice = CHOICES[name]
    if name == "none":
        st.caption(choice.sentence)
        return
    try:
        made = drawn(site, name, image_px)
    except CxrlabError as error:
        st.error(str(error), icon=":material/error:")
        return
    if choice.warn:
        st.warning(choice.warn, icon=":material/info:")
    sheets = np.stack(
        [strips.strip(np.stack([one, *more])) for one, more in zip(made.original, made.changed, strict=True)]
    )
    ids = cached.store(site).rows["image_id"].iloc[made.rows]
    draws = made.changed.shape[1]
    alts = [f"Radiograph {one} as it is, then {words.count(draws, 'draw')} of {choice.title}" for one in ids]
    strips.sheet(sheets, [str(one) for one in ids], alts, COLUMNS, "augment-preview")
    st.caption(
        f"{words.count(len(ids), 'image')} of *{site}* at {image_px} px: as it is, then {words.count(draws, 'draw')} of "
        f"**{choice.title}**. {choice.sentence} Before crops, contrast and grey values of the group 'Images'."
    )


def drawn(site: str, name: str, image_px: int) -> Drawn:
    """Return images of a site and draws of an augmentation.

    Raises:
        CxrlabError: the process could not draw them; its own sentence where it had one.
    """
    path = Lab.here().store(site)
    if not path.exists():
        raise MissingInput(f"no store at {path}; import the site on Sites or with `python -m cxrlab ingest`.")
    return _drawn(cached.stamp(path), str(Lab.here().root), site, name, image_px)


@st.cache_data(max_entries=16, show_spinner="Changing a few images…")
def _drawn(key: cached.Stamp, root: str, site: str, name: str, image_px: int) -> Drawn:
    package = Path(cxrlab.__file__).resolve().parent.parent
    path = os.pathsep.join(filter(None, (str(package), os.environ.get("PYTHONPATH", ""))))
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "preview.npz")
        # -P: a folder named cxrlab beside the lab must not be taken for this package.
        command = [sys.executable, "-P", "-m", "cxrlab.augment.preview", "--lab", root, "--site", site]
        command += ["--name", name, "--px", str(image_px), "--n", str(N_IMAGES), "--out", str(out)]
        try:
            done = subprocess.run(
                command, check=False, capture_output=True, text=True, timeout=PATIENCE,
                cwd=folder, env={**os.environ, "PYTHONPATH": path},
            )  # fmt: skip
        except subprocess.TimeoutExpired as error:
            raise BadRun(
                f"no preview of {name!r} after {PATIENCE} s; this machine is busy, try again later."
            ) from error
        if done.returncode:
            said = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
            raise BadRun(said if done.returncode == 2 else f"the preview of {name!r} ended early: {said}")
        with np.load(out, allow_pickle=False) as made:
            return Drawn(made["rows"], made["original"], made["changed"])
