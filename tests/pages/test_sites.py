"""Sites: what each holds, what was done to it, and how another comes in."""

from pathlib import Path

import cv2
import numpy as np

from cxrlab.intake import imports
from cxrlab.ui import frame
from tests import fake_lab


def test_home_stands_first_and_is_chosen(fake, open_page):
    app = open_page("sites")
    assert app.dataframe[0].value["site"].iloc[0] == fake_lab.HOME
    assert app.selectbox(key="site").value == fake_lab.HOME


def test_two_sites_stand_beside_each_other(fake, open_page):
    app = open_page("sites", beside=fake_lab.LAKEVIEW)
    counts = next(one.value for one in app.dataframe if "fact" in one.value)
    assert list(counts.columns) == ["fact", fake_lab.HOME, fake_lab.LAKEVIEW]
    assert counts.set_index("fact").loc["Images", fake_lab.LAKEVIEW] == str(
        fake_lab.N_IMAGES[fake_lab.LAKEVIEW]
    )


def test_the_browser_shows_only_images_with_the_evidence(fake, open_page, text_of):
    from cxrlab import store
    from cxrlab.facts import site_facts

    app = open_page("sites", about="Images", label="Pneumonia", evidence="uncertain")
    read = store.read(fake.store(fake_lab.HOME))
    n = len(site_facts.find(read, site_facts.Wanted("Pneumonia", "uncertain")))
    assert f"{n} image" in text_of(app)
    assert f"of {len(read)} at {fake_lab.HOME}" in text_of(app)


def test_the_browser_says_when_nothing_fits(fake, open_page, text_of):
    app = open_page("sites", about="Images", label="Pneumonia", evidence="not annotated")
    assert "No image" in text_of(app)


def test_what_was_left_out_is_shown_with_its_reason(fake, open_page):
    app = open_page("sites", about="What we did to it")
    shown = [one.value for one in app.dataframe if "reason" in one.value]
    assert "PNG is truncated" in set(shown[0]["reason"])
    ledger = next(one.value for one in app.dataframe if "became" in one.value)
    assert "left out" in set(ledger["became"])


def test_checking_a_store_says_that_it_is_whole(fake, open_page, text_of):
    app = open_page("sites", about="What we did to it")
    app.button(key="check").click().run()
    assert "are as they were written" in text_of(app)


def test_a_damaged_store_harms_no_other(own, open_page, text_of):
    own.store(fake_lab.LAKEVIEW).write_bytes(b"no store")
    app = open_page("sites")
    assert "not a readable HDF5 file" in text_of(app)
    assert list(app.dataframe[0].value["site"]) == [fake_lab.HOME, fake_lab.HILLCREST]


def write_raw(folder: Path) -> Path:
    rng = np.random.default_rng(2)
    for kind in ("NORMAL", "PNEUMONIA"):
        part = folder / "chest_xray" / "train" / kind
        part.mkdir(parents=True)
        for i in range(3):
            name = f"NORMAL-{i}-0001.jpeg" if kind == "NORMAL" else f"person{i}_virus_{i}.jpeg"
            cv2.imwrite(str(part / name), rng.integers(0, 255, (40, 40)).astype(np.uint8))
    return folder / "chest_xray"


def fill(app, raw, site):
    app.selectbox(key="import-dataset").set_value("kermany").run()
    app.text_input(key="import-raw").set_value(str(raw))
    app.text_input(key="import-site").set_value(site)


def test_a_dry_run_shows_what_would_be_read_and_writes_nothing(lab, open_page, text_of, tmp_path):
    app = open_page("sites")
    fill(app, write_raw(tmp_path), "east")
    app.button(key="import-dry").click().run()
    assert not app.exception
    assert "Nothing was written" in text_of(app)
    assert "6 images" in text_of(app)
    assert not lab.stores.exists()


def test_an_import_is_started_with_what_the_form_says(lab, open_page, monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr(imports, "start", lambda lab, request: asked.append(request))
    app = open_page("sites")
    fill(app, write_raw(tmp_path), "east")
    app.button(key="import-start").click().run()
    assert not app.exception
    assert [(one.dataset, one.site, one.px) for one in asked] == [("kermany", "east", 224)]


def test_a_missing_folder_is_one_sentence(lab, open_page, text_of, tmp_path):
    app = open_page("sites")
    fill(app, tmp_path / "nowhere", "east")
    app.button(key="import-dry").click().run()
    assert len(app.error) == 1 and "nowhere" in app.error[0].value


def test_a_name_that_cannot_be_a_file_is_refused(lab, open_page, tmp_path):
    app = open_page("sites")
    fill(app, tmp_path, "../up")
    app.button(key="import-start").click().run()
    assert "cannot be a site's name" in app.error[0].value


def test_links_to_the_import_form_say_what_its_switch_says(fake, open_page):
    app = open_page("sites", do=frame.IMPORT)
    assert app.text_input(key="import-raw")


def test_a_site_without_ages_says_so_instead_of_an_empty_chart(own, open_page, text_of):
    from cxrlab import store

    read = store.read(own.store(fake_lab.HOME))
    rows = read.rows.assign(age_years=np.nan)
    store.write(own.store("bare"), read.header, rows, read.evidence, read.images(range(len(read))))
    app = open_page("sites", site="bare")
    assert "bare gives no ages" in text_of(app)
    assert app.dataframe[0].value.set_index("site").loc["bare", "median age"] == "not said"


def test_open_data_shows_its_licence_before_it_can_be_fetched(own, open_page, text_of):
    app = open_page("sites", do="Get open data")
    assert not app.exception
    assert "licence" in " ".join(one.value for one in app.code)
    assert app.button(key="fetch-go").disabled


def test_a_gated_collection_says_how_to_ask_for_it(own, open_page, text_of):
    app = open_page("sites", do="Get open data")
    app.selectbox(key="fetch-name").set_value("chexpert").run()
    assert not app.exception
    assert "asked for in person" in text_of(app)
