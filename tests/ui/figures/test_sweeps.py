"""A sweep's settings in a figure: names of several lines have the height that they need."""

import numpy as np
import pandas as pd

from cxrlab.ui.figures import sweeps


def test_rows_are_as_high_as_their_names_and_keep_the_order():
    said = [
        "baseline",
        *(f"budget, shares phantom-coast:{k}+phantom-north:{1 - k}" for k in (0.25, 0.75)),
        "mixed",
    ]
    nothing = np.full(4, np.nan)
    table = pd.DataFrame({"said": said, "seeds": 1, "home": [0.8, 0.7, 0.75, 0.9], "home sd": nothing})
    figure = sweeps.settings(table)
    places, names = np.array(figure.layout.yaxis.tickvals), figure.layout.yaxis.ticktext
    lines = np.array([name.count("<br>") + 1 for name in names])
    assert lines[1] >= 3 and names[0] == "baseline"
    room = (lines[1:] + lines[:-1]) / 2 * sweeps.LINE  # half of each neighbour's lines
    assert (np.diff(places) >= room).all()
    first, last = places[0] - lines[0] / 2 * sweeps.LINE, places[-1] + lines[-1] / 2 * sweeps.LINE
    bottom, top = figure.layout.yaxis.range
    assert (
        top <= first and last <= bottom and figure.layout.height >= bottom
    )  # a unit of the axis is a pixel at least
    assert list(figure.data[0].y) == list(places) and list(figure.data[0].x) == [0.8, 0.7, 0.75, 0.9]
    assert [row[2] for row in figure.data[0].customdata] == said


def test_a_sites_name_stays_whole():
    assert "phantom-coast:0.25+" in sweeps.wrapped(
        "budget, shares phantom-coast:0.25+phantom-north:0.75"
    ).split("<br>")
