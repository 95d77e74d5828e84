"""A network that was trained elsewhere fills every page as a run of ours does, or the page says what it cannot."""

import json

import pytest
import timm
import torch
from streamlit.testing.v1 import AppTest

from cxrlab import files, spec
from cxrlab.foreign import classifier
from cxrlab.foreign.classifier import Said
from cxrlab.jobs import request, stages, state
from cxrlab.progress import Progress
from tests import fake_lab
from tests.pages.conftest import ROOT

SAID = Said(network="timm:test_resnet", labels=("Cardiomegaly", "-", "Pneumonia"), image_px=48, name="theirs")


def put(lab, tmp_path, site):
    """Import a network that learnt nothing and score it at lakeview."""
    torch.manual_seed(0)
    torch.save(timm.create_model("test_resnet", num_classes=3).state_dict(), tmp_path / "theirs.pth")
    found = classifier.read(lab, tmp_path / "theirs.pth", Said(**{**vars(SAID), "site": site}))
    classifier.place(lab, found)
    run = lab.run(found.spec.run_id)
    files.write_text(run.spec, spec.dumps(found.spec) + "\n")
    asked = request.complete(
        lab, spec.build({"kind": "score", "run": run.run_id, "sites": [fake_lab.LAKEVIEW]})
    )
    for wanted in (found.spec, asked):
        stages.carry_out(lab, wanted, lab.run(wanted.run_id), Progress())
    state.write_end(run, "done")
    return run.run_id


@pytest.fixture
def at_home(own, tmp_path):
    return put(own, tmp_path, fake_lab.HOME)


@pytest.fixture
def homeless(own, tmp_path):
    return put(own, tmp_path, "")


def at_url(name, **query):
    """Open a page by its own address, as a link does."""
    app = AppTest.from_file(str(ROOT / "pages" / f"{name}.py"), default_timeout=120)
    for key, value in query.items():
        app.query_params[key] = value
    app.run()
    assert not app.exception, app.exception[0].message
    assert not app.error, [one.value for one in app.error]
    return app


@pytest.mark.parametrize(
    ("page", "said"),
    [
        ("home", f"Trained at {fake_lab.HOME}"),
        ("generalization", f"Trained at {fake_lab.HOME}"),
        ("thresholds", f"Tuned on *{fake_lab.HOME} val*"),
        ("heatmaps", "grad-cam at layer"),
        ("shift", "harder to rebuild"),
        ("sites", ""),
        ("launch", ""),
    ],
)
def test_with_a_home_every_page_has_its_answer(at_home, text_of, page, said):
    text = text_of(at_url(page, home=fake_lab.HOME, run_labels=at_home))
    assert said in text
    if page in ("home", "generalization", "thresholds", "heatmaps"):
        assert at_home in text
    if page == "generalization":
        assert "trained elsewhere (theirs.pth)" in text and "weights from theirs.pth" in text


@pytest.mark.parametrize(
    ("page", "said"),
    [
        ("home", "Macro AUROC **"),
        ("generalization", "was trained is not known, so there are no gaps"),
        ("thresholds", "home is not known, so there are no validation rows"),
        ("heatmaps", "this network's home is not known"),
        ("shift", "No autoencoder of a site that is not known"),
    ],
)
def test_without_a_home_a_page_says_what_is_missing(homeless, text_of, page, said):
    assert said in text_of(at_url(page, home="not known"))


def test_runs_shows_where_its_weights_came_from_and_nothing_that_was_not(at_home, text_of):
    app = at_url("runs", run=at_home, part="Spec")
    told = json.loads(app.code[0].value)
    assert told["kind"] == "brought" and told["file"]["name"] == "theirs.pth" and "training" not in told
    assert "theirs.pth" in text_of(app)
    assert not [button for button in app.button if button.key == "rerun"]  # nothing was trained here


def test_it_stands_beside_runs_of_ours(at_home, own, text_of):
    ours = next(run for run in own.run_ids() if run.startswith("labels-"))
    said = text_of(at_url("runs", run=[at_home, ours]))
    assert "What came out" in said
    for view in ("Ranking", "Pairs", "Trained × tested", "Cost", "Seeds"):
        at_url("generalization", home=fake_lab.HOME, run_labels=at_home, look="Compare runs", view=view,
               compare=[at_home, ours])  # fmt: skip


def test_launch_offers_to_go_on_from_it(at_home):
    app = at_url("launch", what="One network")
    starts = next(one for one in app.selectbox if str(one.key).endswith(".start_from"))
    assert at_home in starts.options
