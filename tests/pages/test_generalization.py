"""Where does it hold: the planted loss is found, doubt and absence are said."""

from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from cxrlab import files, foreign, predictions
from cxrlab.ui import words
from tests import fake_lab
from tests.pages.charts import figure, words_in

PAGES = Path(__file__).parents[2] / "pages"
LOOKS = (
    "One finding",
    "What was lost",
    "Calibration",
    "Groups",
    "Mistakes",
    "Compare runs",
    "Normal or abnormal",
)
VIEWS = ("Ranking", "Pairs", "Trained × tested", "Cost", "Seeds")


def test_the_planted_fall_opens_the_page_and_is_chosen(fake, open_page, text_of):
    app = open_page("generalization")
    said = text_of(app)
    assert f"Trained at {fake_lab.HOME}" in said
    assert f"at {fake_lab.LAKEVIEW}" in said
    assert app.selectbox(key="label").value == "Pneumonia"
    assert "Pneumonia falls" in said
    assert "4 negative patients" in said  # hillcrest: nothing can be said


def test_a_label_absent_at_a_site_is_undefined_in_the_matrix(fake, open_page):
    spec = figure(open_page("generalization"), "gap-matrix")
    assert "undefined" in words_in(spec)
    hover = [h for trace in spec["data"] for h in trace.get("hovertext") or []]
    assert any("undefined" in h and fake_lab.ABSENT in h and fake_lab.LAKEVIEW in h for h in hover)


def test_a_link_names_the_finding(fake, open_page, text_of):
    app = open_page("generalization", label="Cardiomegaly")
    assert app.selectbox(key="label").value == "Cardiomegaly"
    assert "AUROC of Cardiomegaly" in text_of(app)


def test_every_caption_names_run_home_policy_and_interval(fake, open_page):
    captions = [one.value for one in open_page("generalization").caption if "AUROC of" in one.value]
    assert captions
    for part in ("labels-small-cnn", fake_lab.HOME, "seed", "uncertain labels", "over patients"):
        assert part in captions[0]


def test_both_heads_for_normal_or_abnormal_are_compared(fake, open_page):
    spec = figure(open_page("generalization", look="Normal or abnormal"), "heads")
    assert {trace["name"] for trace in spec["data"]} == {words.TASKS["normal"], words.TASKS["normal-latents"]}


def test_gate_and_flat_model_are_compared_at_one_operating_point(fake, open_page, text_of):
    app = open_page("generalization", look="Normal or abnormal", aim=".80")
    assert "Cut for a sensitivity of .80" in text_of(app)
    models = set(next(one.value for one in app.dataframe if "model" in one.value)["model"])
    assert models == {words.TASKS["normal"], words.TASKS["normal-latents"], "the findings model, as a gate"}


def test_all_findings_of_one_site_can_be_read(fake, open_page):
    app = open_page("generalization", rows=fake_lab.LAKEVIEW)
    table = app.dataframe[0].value
    assert set(fake_lab.LABELS) | {"macro"} == set(table["label"])
    row = table[table["label"] == fake_lab.ABSENT].iloc[0]
    assert row["AUROC"] == "undefined (no annotated images)"


def test_a_half_finished_run_shows_the_sites_that_are_there(half, open_page, text_of):
    app = open_page("generalization")
    said = text_of(app)
    assert fake_lab.HILLCREST in said
    assert "Not finished" in said
    assert "thresholds are tuned after scoring" in said
    tick_names = figure(app, "gap-matrix")["layout"]["xaxis"]["ticktext"]
    assert tick_names == [fake_lab.HILLCREST]


def test_an_empty_lab_offers_doors(lab, open_page, text_of):
    assert "No run in this lab yet" in text_of(open_page("generalization"))


def test_only_the_part_that_is_looked_at_is_drawn(fake, open_page):
    app = open_page("generalization", look="What was lost")
    drawn = [one.proto.id for one in app.get("plotly_chart")]
    assert [name.rsplit("-", 1)[1] for name in drawn] == ["matrix", "losses"]


def test_the_parts_of_a_loss_stand_on_the_bars_and_sum_to_it(fake, open_page, text_of):
    app = open_page("generalization", look="What was lost")
    spec = figure(app, "losses")
    by_name = {trace["name"]: trace for trace in spec["data"]}
    at = next(i for i, y in enumerate(by_name["their sum"]["y"]) if y.startswith(fake_lab.LAKEVIEW))
    parts = [_values(by_name[name]["x"])[at] for name in ("ranking", "threshold", "prevalence")]
    assert sum(parts) == pytest.approx(_values(by_name["their sum"]["x"])[at], abs=1e-12)
    assert parts[0] > 0.1  # the planted fall is one of ranking
    assert "by ranking" in text_of(app)


def _values(sent):
    """Plotly sends numbers as lists or as base64 of their bytes."""
    import base64

    if isinstance(sent, dict):
        return np.frombuffer(base64.b64decode(sent["bdata"]), sent["dtype"]).tolist()
    return sent


def test_calibration_is_shown_before_and_after_every_recalibration(fake, open_page, text_of):
    app = open_page("generalization", look="Calibration", site=fake_lab.LAKEVIEW)
    table = next(one.value for one in app.dataframe if "recalibrated by" in one.value)
    assert table["recalibrated by"].tolist() == [
        "as scored",
        "Platt",
        "temperature",
        "isotonic",
        "intercept only",
    ]
    assert f"At *{fake_lab.LAKEVIEW}* the scores say" in text_of(app)
    assert {t["name"] for t in figure(app, "reliability")["data"]} >= {"as scored", "after Platt"}


def test_a_small_group_is_warned_of_and_not_compared(fake, open_page, text_of):
    app = open_page("generalization", look="Groups", site=fake_lab.LAKEVIEW)
    assert "too small to tell; the smallest is" in text_of(app)
    table = next(one.value for one in app.dataframe if "against the rest" in one.value)
    warned = table[table["warning"] != ""]
    assert len(warned) and warned["against the rest"].str.startswith("undefined").all()


def test_bands_are_drawn_at_home_and_at_the_site_that_is_asked_for(fake, open_page):
    app = open_page("generalization", label="Cardiomegaly", band=fake_lab.HILLCREST)
    names = [t.get("name", "") for t in figure(app, "roc")["data"]]
    assert f"{fake_lab.HOME}: band" in names and f"{fake_lab.HILLCREST}: band" in names
    assert f"{fake_lab.LAKEVIEW}: band" not in names


@pytest.mark.parametrize("look", LOOKS)
def test_every_part_opens_in_every_state_of_a_study(look, any_lab):
    at_url("generalization", look=look)


def test_the_url_restores_part_site_and_recalibration(fake):
    app = at_url(
        "generalization", look="Calibration", site=fake_lab.HILLCREST, mend="isotonic", label="Cardiomegaly"
    )
    shown = {one.key: one.value for one in app.button_group}
    assert (shown["look"], shown["site"], shown["mend"]) == ("Calibration", fake_lab.HILLCREST, "isotonic")


@pytest.fixture
def many(own):
    """The study with two more seeds, one of which is better at home, and a second network."""
    rng = np.random.default_rng(3)
    for seed, network in ((12, "small_cnn"), (13, "small_cnn"), (11, "densenet121")):
        made = fake_lab.train_spec(own, "labels", network).model_copy(update={"seed": seed})
        run = fake_lab.begin_run(own, made, ago=800)
        for site in (fake_lab.HOME, *fake_lab.EXTERNALS):
            fake_lab.write_scores(own, made, site, fake_lab.LABELS, rng)
        fake_lab.write_thresholds(own, run, fake_lab.LABELS)
        fake_lab.end_run(run)
    return own


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("over", ["mean over findings", "this finding"])
def test_every_view_of_several_runs_opens(many, open_page, text_of, view, over):
    app = open_page("generalization", look="Compare runs", view=view, over=over)
    said = text_of(app)
    expected = {
        "Ranking": "of draws", "Pairs": "of 6 pairs differ", "Trained × tested": "ways from a home to another site",
        "Cost": "runs", "Seeds": "over 3 seeds",
    }  # fmt: skip
    assert expected[view] in said


def test_one_run_alone_is_not_ranked(fake, open_page, text_of):
    assert "Choose at least two runs" in text_of(open_page("generalization", look="Compare runs"))


@pytest.fixture
def vendor(own, tmp_path):
    """Somebody's scores at lakeview, whose home is not known."""
    run_id = next(r for r in own.run_ids() if r.startswith("labels-"))
    table = predictions.read(own.run(run_id).predictions(fake_lab.LAKEVIEW)).table
    rng, sent = np.random.default_rng(0), table[["image_id", "patient_id", "age_years", "sex", "view"]].copy()
    for label in ("Pneumonia", "Cardiomegaly"):
        sent[f"prob_{label}"] = 1 / (1 + np.exp(-table[f"logit:{label}"] - rng.normal(size=len(table))))
        sent[f"true_{label}"] = table[f"y:{label}"]
    path = tmp_path / "vendor.csv"
    sent.to_csv(path, index=False)
    return foreign.import_scores(own, path, fake_lab.LAKEVIEW).run_id


def at_url(name, **query):
    """Open a page by its own address, as a link does."""
    app = AppTest.from_file(str(PAGES / f"{name}.py"), default_timeout=120)
    for key, value in query.items():
        app.query_params[key] = value
    app.run()
    assert not app.exception, app.exception[0].message
    return app


@pytest.mark.parametrize("look", LOOKS[:-1])
def test_scores_without_a_home_show_what_they_can_and_say_what_is_missing(vendor, text_of, look):
    app = at_url("generalization", home="not known", look=look)
    said = text_of(app)
    assert f"Where `{vendor}` was trained is not known, so there are no gaps" in said
    assert f"at *{fake_lab.LAKEVIEW}*".lower() in said.lower()
    missing = {"What was lost": "home is not known", "Mistakes": "home is not known", "Calibration": "home is not known",
               "One finding": "home is not known", "Groups": "home is not known"}  # fmt: skip
    assert missing.get(look, "") in said


def test_imported_scores_meet_our_own_where_both_were_tested(vendor, own, text_of):
    ours = next(r for r in own.run_ids() if r.startswith("labels-"))
    app = at_url("generalization", home="not known", look="Compare runs", compare=[vendor, ours], view="Pairs",
                 over="this finding", label="Pneumonia")  # fmt: skip
    said = text_of(app)
    assert "Compared outside only" in said
    assert f"at {fake_lab.LAKEVIEW}: " in said and "1 pair" in said


@pytest.mark.parametrize("page", ["home", "sites", "launch", "runs", "thresholds", "shift", "heatmaps"])
def test_every_other_page_opens_on_imported_scores(vendor, text_of, page):
    app = at_url(page, home="not known")
    assert not app.error
    if page == "heatmaps":
        assert "were imported" in text_of(app)


def test_published_scores_with_a_second_reader_show_what_labels_alone_do(lab, realdata, open_page, text_of):
    path = realdata / "predictions" / "nih_densenet121.csv.gz"
    if not path.exists():
        pytest.skip("no published scores among the real data")
    foreign.import_scores(lab, path, "nih", truths=["rsna:Pneumonia=rsna_class:Lung Opacity vs Normal"])
    app = open_page("generalization", look="Second readers", label="Pneumonia")
    said = text_of(app)
    assert "The two truths agree with kappa" in said and "against that of rsna" in said
    app = open_page("generalization", label="Pneumonia")
    assert any("source" in one.value and "theirs" in one.value for one in app.dataframe)


def test_a_gate_before_the_findings_model_says_what_it_spares_and_loses(fake, open_page, text_of):
    app = open_page("generalization", look="Normal or abnormal")
    text = text_of(app)
    assert f"At {fake_lab.LAKEVIEW} the gate holds back" in text
    assert (
        "spares nothing: with its own operations" in text
    )  # this lab's gate costs as much as what lies behind it
    table = next(one.value for one in app.dataframe if "operations spared" in one.value)
    assert table["site"].tolist() == [fake_lab.HOME, *fake_lab.EXTERNALS]
    points = next(one.value for one in app.dataframe if "without gate" in one.value)
    assert set(points["finding"]) == set(fake_lab.LABELS) - {"No Finding"}


@pytest.fixture
def joint(own):
    """The study with a run whose own gate holds back what is least likely to be abnormal."""
    made = fake_lab.train_spec(own, "labels", "hierarchical")
    run, labels = fake_lab.begin_run(own, made, ago=800), (*fake_lab.LABELS, "Abnormal")
    for site in (fake_lab.HOME, *fake_lab.EXTERNALS):
        fake_lab.write_scores(own, made, site, labels[:-1], np.random.default_rng(4))
        said, gate = (
            predictions.read(
                own.run(next(r for r in own.run_ids() if r.startswith(name))).predictions(site)
            ).table
            for name in (made.run_id, "normal-small")
        )
        path = run.predictions(site)
        whole = predictions.read(path)
        for column in ("y:Abnormal", "logit:Abnormal"):
            whole.table[column] = gate[column].to_numpy()
        predictions.write(path, whole)
        told = {
            "images": len(said),
            "passed": len(said) - 9,
            "cut": -1.5,
            "gate_flops": 1,
            "disease_flops": 80,
        }
        files.write_json(run.hierarchy(site), {**told, "gate_seconds": 0.1, "disease_seconds": 2.0})
    fake_lab.write_thresholds(own, run, labels)
    fake_lab.end_run(run)
    return made.run_id


def test_a_networks_own_gate_is_shown_beside_a_network_without_one(joint, open_page, text_of):
    app = open_page("generalization", run_labels=joint, look="Gate")
    text = text_of(app)
    assert f"At {fake_lab.HILLCREST} the gate holds back" in text and joint in text
    assert any("without gate" in one.value for one in app.dataframe)
