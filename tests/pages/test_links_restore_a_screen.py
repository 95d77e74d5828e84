"""A screen can be sent as a link: what is in the URL is what the page shows."""

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from tests import fake_lab

PAGES = Path(__file__).parents[2] / "pages"
LINKS = {
    "generalization": {"label": "Cardiomegaly"},
    "thresholds": {"label": "Pneumonia", "site": fake_lab.LAKEVIEW, "at_pneumonia": "0.61"},
    "shift": {"label": "Pleural Effusion", "site": fake_lab.HILLCREST},
    "heatmaps": {
        "site": fake_lab.HILLCREST,
        "label": "Cardiomegaly",
        "group": "false alarms",
        "order": "strongest map first",
        "scale": "one for all",
        "opacity": "70",
    },
}


@pytest.mark.parametrize("name", LINKS)
def test_the_url_decides_what_a_page_shows(name, fake):
    app = AppTest.from_file(str(PAGES / f"{name}.py"), default_timeout=120)
    for key, value in LINKS[name].items():
        app.query_params[key] = value
    app.run()
    assert not app.exception, app.exception[0].message
    shown = {
        w.key: w.value
        for kind in (app.selectbox, app.slider, app.button_group, app.segmented_control)
        for w in kind
    }
    for key, value in LINKS[name].items():
        assert str(shown[key]).strip("[]'") == value, key


@pytest.mark.parametrize("name", LINKS)
def test_a_link_to_what_is_not_there_falls_back_without_an_error(name, fake):
    app = AppTest.from_file(str(PAGES / f"{name}.py"), default_timeout=120)
    for key in ("label", "site", "group", "image", "home", "externals", "opacity"):
        app.query_params[key] = "no-such-thing"
    app.run()
    assert not app.exception
