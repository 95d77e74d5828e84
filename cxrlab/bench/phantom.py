"""How fast phantom radiographs are drawn, on one core.

In:    nothing.
Out:   one line: images a second beside the promised hundred.
Never: other rooms' speed.
"""

import itertools
import time

import cv2

from cxrlab import phantom
from cxrlab.bench.base import Line

PROMISED = 100.0  # images a second at 224 px on one core
_IMAGES, _ROUNDS = 50, 3


def run() -> list[Line]:
    """Return images drawn a second of processor time, over all recipes in turn, in the best of a few rounds.

    There is no other program that draws these, so the peer is the promise itself. Processor time, not the clock: it is
    what one core does, whoever else is using the machine.
    """
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        recipes = list(phantom.RECIPES)
        for recipe in recipes:
            phantom.draw(recipe, 0)
        rate = max(_rate(recipes) for _ in range(_ROUNDS))
    finally:
        cv2.setNumThreads(threads)
    return [
        Line(
            name="phantom",
            what=f"phantom radiographs drawn at {phantom.SIZE} px on one core",
            ours=rate,
            peer=PROMISED,
            unit="images/s",
            ratio=rate / PROMISED,
            bar=1.0,
            note="the peer is the promise",
        )
    ]


def _rate(recipes: list[str]) -> float:
    began = time.process_time()
    for i, recipe in enumerate(itertools.islice(itertools.cycle(recipes), _IMAGES)):
        phantom.draw(recipe, i)
    return _IMAGES / (time.process_time() - began)
