"""How far from home: the planted shift is found, the planted likeness is not called a shift."""

from tests import fake_lab
from tests.pages.charts import figure


def test_the_planted_shift_is_found_and_the_near_site_is_not_called_shifted(fake, open_page):
    table = open_page("shift").dataframe[0].value.set_index("site")
    assert table.loc[fake_lab.LAKEVIEW, "verdict"] == "shifted"
    assert table.loc[fake_lab.HILLCREST, "verdict"] != "shifted"
    assert table.loc[fake_lab.HOME, "AUROC against home"] == "reference"


def test_the_first_line_names_the_farthest_site(fake, open_page, text_of):
    first = next(t for t in text_of(open_page("shift")).split("\n") if "harder to rebuild" in t)
    assert first.index(fake_lab.LAKEVIEW) < first.index(fake_lab.HILLCREST)
    assert "larger than chance" in first


def test_three_sites_are_too_few_for_a_relation(fake, open_page, text_of):
    assert "Too few sites" in text_of(open_page("shift"))


def test_the_relation_has_one_point_a_site(fake, open_page):
    spec = figure(open_page("shift", label="Pneumonia"), "re-and-performance")
    assert {trace["text"][0].split(" ")[0] for trace in spec["data"]} == set(fake_lab.N_IMAGES)


def test_best_and_worst_pairs_have_alternative_texts(fake, open_page):
    app = open_page("shift", site=fake_lab.HILLCREST)
    assert len(app.image) == 8
    assert all("Input, reconstruction and error of" in one.proto.imgs[0].alt for one in app.image)


def test_the_latent_map_holds_every_site(fake, open_page):
    spec = figure(open_page("shift"), "latent-map")
    assert len(spec["data"]) == 3


def test_without_an_autoencoder_the_page_says_what_it_waits_for(half, open_page, text_of):
    assert "No autoencoder of riverside has scores yet" in text_of(open_page("shift"))
