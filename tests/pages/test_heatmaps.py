"""Where did it look: failures in order, the link copies the state, an empty map is said."""

import dataclasses

import pytest

from cxrlab.explain import mapfile
from tests import fake_lab
from tests.pages.charts import figure, words_in


def run_of(lab):
    return lab.run(next(run_id for run_id in lab.run_ids() if run_id.startswith("labels-")))


def count_of(lab, site, label, group):
    rows = mapfile.read(run_of(lab).maps(site)).rows
    return int(((rows["label"] == label) & (rows["group"] == group)).sum())


def tiles(app):
    return [one for one in app.button if one.key and one.key.startswith("tile-")]


def test_it_opens_where_most_was_lost_and_counts_the_misses(fake, open_page, text_of):
    said = text_of(open_page("heatmaps"))
    n = count_of(fake, fake_lab.LAKEVIEW, "Pneumonia", "FN")
    assert n > 1
    assert f"At *{fake_lab.LAKEVIEW}*: {n} images with Pneumonia that the model passed over" in said


def test_a_link_restores_site_finding_group_and_image(fake, open_page, text_of):
    rows = mapfile.read(run_of(fake).maps(fake_lab.LAKEVIEW)).rows
    wanted = rows[(rows["label"] == "Pneumonia") & (rows["group"] == "FP")]["image_id"].iloc[1]
    app = open_page("heatmaps", site=fake_lab.LAKEVIEW, label="Pneumonia", group="false alarms", image=wanted)
    assert app.selectbox(key="site").value == fake_lab.LAKEVIEW
    assert app.selectbox(key="image").value == wanted
    assert "without Pneumonia that it called positive" in text_of(app)


def test_next_and_previous_walk_through_the_failures(fake, open_page):
    app = open_page("heatmaps")
    ids = app.selectbox(key="image").options
    assert app.selectbox(key="image").value == ids[0]
    app.button(key="next").click().run()
    assert app.selectbox(key="image").value == ids[1]
    app.button(key="previous").click().run()
    app.button(key="previous").click().run()
    assert app.selectbox(key="image").value == ids[-1]


def test_a_tile_opens_its_image(fake, open_page):
    app = open_page("heatmaps")
    wanted = app.selectbox(key="image").options[1]
    next(one for one in tiles(app) if wanted in one.help).click().run()
    assert app.selectbox(key="image").value == wanted


def test_an_image_of_another_group_falls_back_to_the_first(fake, open_page):
    app = open_page("heatmaps", image="no-such-image")
    assert app.selectbox(key="image").value == app.selectbox(key="image").options[0]


def test_a_map_that_is_zero_everywhere_is_said_not_drawn(own, open_page, text_of):
    path = run_of(own).maps(fake_lab.LAKEVIEW)
    maps = mapfile.read(path)
    mapfile.write(path, dataclasses.replace(maps, maps=maps.maps * 0))
    app = open_page("heatmaps")
    said = text_of(app)
    n = count_of(own, fake_lab.LAKEVIEW, "Pneumonia", "FN")
    assert f"{n} of the {n} maps are zero everywhere" in said
    assert "This map is zero everywhere" in said
    assert all("no map" in one.label for one in tiles(app))


def test_one_scale_for_all_says_its_top_and_what_this_map_reaches(fake, open_page, text_of):
    assert "the largest of these maps; this one reaches" in text_of(
        open_page("heatmaps", scale="one for all")
    )
    assert "this map's own maximum" in text_of(open_page("heatmaps"))


def test_every_score_stands_beside_its_threshold_and_the_truth(fake, open_page):
    spec = figure(open_page("heatmaps"), "scores")
    assert "present · wrong" in words_in(spec)


@pytest.mark.parametrize("group", ["missed", "false alarms", "surest"])
def test_every_group_opens(fake, open_page, group):
    assert tiles(open_page("heatmaps", group=group, label="Cardiomegaly"))


def test_a_run_without_maps_says_when_they_come(half, open_page, text_of):
    assert "drawn last, after the thresholds are tuned" in text_of(open_page("heatmaps"))
