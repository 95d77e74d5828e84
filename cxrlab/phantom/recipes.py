"""The made-up hospitals, and which of them make the demo.

In:    nothing.
Out:   RECIPES, DEMO.
Never: how a picture is drawn.
"""

from dataclasses import replace

import cv2

from cxrlab.phantom.acquisition import Acquisition
from cxrlab.phantom.population import Recipe

NORTH = Recipe(
    name="north",
    title="an outpatient and teaching hospital: adults, mostly standing",
    salt=1,
    reasons={
        "well": 0.34,
        "heart failure": 0.15,
        "infection": 0.16,
        "tumour": 0.11,
        "collapsed lung": 0.11,
        "after surgery": 0.13,
    },
    ap=0.08,
    ap_if_failing=0.55,  # here a bedside picture means a sick heart: a shortcut that other hospitals do not share
)

COAST = replace(
    NORTH,
    name="coast",
    title="a small hospital with an older machine: adults, lower dose, coarser detector",
    salt=2,
    reasons={
        "well": 0.42,
        "heart failure": 0.10,
        "infection": 0.22,
        "tumour": 0.07,
        "collapsed lung": 0.07,
        "after surgery": 0.12,
    },
    age=(52, 18),
    ap=0.12,
    ap_if_failing=0.30,
    acquisition=Acquisition(
        photons=7000,
        blur_px=0.9,
        gamma=1.10,
        sharpen=0.2,
        collimated=0.7,
        collimator=(0.01, 0.07),
        marker="R",
        font=cv2.FONT_HERSHEY_DUPLEX,
        portable="",
    ),
)

SOUTH = replace(
    NORTH,
    name="south",
    title="an emergency and intensive-care hospital: adults, half of them lying",
    salt=3,
    reasons={
        "well": 0.22,
        "heart failure": 0.24,
        "infection": 0.20,
        "tumour": 0.06,
        "collapsed lung": 0.10,
        "after surgery": 0.18,
    },
    age=(64, 15),
    size=(0.6, 1.0),
    ap=0.55,
    ap_if_failing=0.55,
    missed=0.05,
    invented=0.03,
    acquisition=Acquisition(
        photons=14000,
        scatter=0.40,
        gamma=0.62,
        slope=2.4,
        sharpen=0.9,
        levels=(22, 224),
        jitter=0.10,
        collimated=0.35,
        marker="R",
        font=cv2.FONT_HERSHEY_COMPLEX,
        portable="AP",
        bars=0.2,
    ),
)

CHILDREN = replace(
    NORTH,
    name="children",
    title="a children's hospital: one to twelve years",
    salt=4,
    reasons={
        "well": 0.40,
        "heart failure": 0.06,
        "infection": 0.40,
        "collapsed lung": 0.06,
        "after surgery": 0.08,
    },
    age=(4.5, 2.8),
    ages=(0.5, 13),
    size=(0.0, 0.7),
    ap=0.5,
    ap_if_failing=0.6,
    unannotated=("Lung Lesion",),  # nobody looks for tumours here, so the site says nothing of them
    zoom=(1.17, 0.06),
    tilt=0.035,
    acquisition=Acquisition(
        photons=14000,
        scatter=0.12,
        gamma=0.85,
        marker="R",
        portable="",
        sharpen=0.5,
        bars=0.1,
        levels=(0, 222),
    ),
)

RECIPES: dict[str, Recipe] = {
    "north": NORTH,
    "coast": COAST,
    "south": SOUTH,
    "children": CHILDREN,
    # The no-shift control: the same hospital, other people.
    "north-twin": replace(NORTH, name="north-twin", salt=11),
}

# Site name, recipe, number of images; the first is home.
DEMO: tuple[tuple[str, str, int], ...] = (
    ("phantom-north", "north", 1600),
    ("phantom-coast", "coast", 600),
    ("phantom-south", "south", 600),
    ("phantom-children", "children", 600),
)
