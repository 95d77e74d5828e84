"""Where does it hold: the planted loss is found, doubt and absence are said."""

from cxrlab.ui import words
from tests import fake_lab
from tests.pages.charts import figure, words_in


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
    spec = figure(open_page("generalization"), "heads")
    assert {trace["name"] for trace in spec["data"]} == {words.TASKS["normal"], words.TASKS["normal-latents"]}


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
