"""Radiographs on a page: strips and contact sheets on near-black, each with its alternative text.

In:    uint8 images.
Out:   pictures in panels.
Never: windowing or scaling of values: what is stored is what is shown.
"""

import numpy as np
import streamlit as st

GROUND = 11  # grey of the panel behind, near enough to #0B0F14


def strip(images: np.ndarray, gap: int = 4) -> np.ndarray:
    """Return (K, H, W) uint8 images side by side, (H, K*(W+gap)-gap) uint8."""
    k, h, w = images.shape
    out = np.full((h, k * (w + gap) - gap), GROUND, np.uint8)
    for i, image in enumerate(images):
        out[:, i * (w + gap) : i * (w + gap) + w] = image
    return out


def squared(image: np.ndarray, px: int) -> np.ndarray:
    """Return a grey image as (px, px) uint8, so that images of several sites fit one sheet."""
    import cv2

    return cv2.resize(image, (px, px), interpolation=cv2.INTER_AREA)


def sheet(images: np.ndarray, captions: list[str], alts: list[str], columns: int, key: str) -> None:
    """Draw a contact sheet in a dark panel.

    Args:
        images: (K, H, W) uint8.
        captions: one short line an image.
        alts: what each shows, for people who cannot see it.
        columns: images a row; fewer on a narrow screen.
        key: unique on the page.
    """
    with st.container(key=f"panel-{key}"):
        for start in range(0, len(images), columns):
            for place, cell in enumerate(st.columns(columns, gap="small")):
                i = start + place
                if i < len(images):
                    cell.image(images[i], caption=captions[i], alt=alts[i], width="stretch")
