"""Three labs that every page must open in, and a way to open a page as the app does."""

import shutil
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from cxrlab import jobs
from cxrlab.paths import Lab
from cxrlab.sweeps import shelf
from tests import fake_lab

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    """The complete and the half-finished lab, built once."""
    root = tmp_path_factory.mktemp("labs")
    return {
        "fake": fake_lab.build(root / "fake").root,
        "half": fake_lab.build(root / "half", half_finished=True).root,
    }


def _lab(root, monkeypatch):
    monkeypatch.setenv("CXRLAB_HOME", str(root))
    return Lab.here()


def _copied(root, tmp_path, monkeypatch):
    return _lab(shutil.copytree(root, tmp_path / "lab"), monkeypatch)


@pytest.fixture
def fake(built, monkeypatch):
    """A complete study, shared by all tests so that caches stay warm: look, do not touch."""
    return _lab(built["fake"], monkeypatch)


@pytest.fixture
def own(built, tmp_path, monkeypatch):
    """A complete study that the test may spoil."""
    return _copied(built["fake"], tmp_path, monkeypatch)


@pytest.fixture
def half(built, monkeypatch):
    """A study whose findings run was killed after two of three sites, and whose autoencoder never began; shared."""
    return _lab(built["half"], monkeypatch)


@pytest.fixture
def own_half(built, tmp_path, monkeypatch):
    """The half-finished study, to be spoiled."""
    return _copied(built["half"], tmp_path, monkeypatch)


@pytest.fixture(params=["empty", "fake", "half"])
def any_lab(request, built, tmp_path, monkeypatch):
    """Each of the three labs; shared."""
    return _lab(tmp_path / "lab" if request.param == "empty" else built[request.param], monkeypatch)


@pytest.fixture
def open_page():
    """Open a page inside the app: `open_page("sites", about="Images")` also sets widgets by key beforehand."""

    def opened(name, *, query=None, **state):
        app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120)
        for key, value in (query or {}).items():
            app.query_params[key] = value
        app.run()
        for key, value in state.items():
            app.session_state[key] = value
        if name != "home" or state:
            app.switch_page(f"pages/{name}.py").run()
        assert not app.exception, app.exception[0].message
        return app

    return opened


@pytest.fixture
def submitted(monkeypatch):
    """Specs that were submitted, sweeps too; no process is started."""
    asked = []

    def submit(lab, spec, executor="local"):
        asked.append(spec)
        return lab.run_ids()[0]

    monkeypatch.setattr(jobs, "submit", submit)
    monkeypatch.setattr(shelf, "submit", submit)
    return asked


@pytest.fixture
def text_of():
    """Return all prose of a page as one text."""

    def said(app):
        kinds = ("title", "subheader", "markdown", "caption", "info", "warning", "error", "success")
        return "\n".join(str(one.value) for kind in kinds for one in getattr(app, kind))

    return said
