"""The first page: the answer, or the doors."""

from cxrlab import jobs
from cxrlab.ui import doors
from tests import fake_lab


def test_an_empty_lab_offers_three_doors_with_time_and_disk(lab, open_page, text_of):
    app = open_page("home")
    heads = [one.value for one in app.subheader]
    assert heads == ["Build the demo study", "Import a site", "Three-minute tour"]
    assert "About " in text_of(app) and "MB" in text_of(app)


def test_building_the_demo_submits_one_study_and_shows_it(lab, open_page, text_of, monkeypatch):
    """The job itself is replaced: drawing four hospitals takes a minute and has its own tests."""
    asked = []

    def submit(lab, spec, executor="local"):
        asked.append(spec)
        return spec.run_id

    monkeypatch.setattr(jobs, "submit", submit)
    app = open_page("home")
    app.button(key="build-demo").click().run()
    assert not app.exception
    assert [spec.make for spec in asked] == ["phantom"]
    assert asked[0].run_id == doors.demo_spec().run_id


def test_the_answer_names_what_was_planted(fake, open_page, text_of):
    said = text_of(open_page("home"))
    assert f"Trained at {fake_lab.HOME}" in said
    assert "falls" in said and fake_lab.LAKEVIEW in said
    assert "Pneumonia loses most at lakeview" in said


def test_every_site_has_its_card_and_a_site_without_support_cannot_say(fake, open_page, text_of):
    said = text_of(open_page("home"))
    for site, n in fake_lab.N_IMAGES.items():
        assert f"{n} images" in said, site
    assert "cannot say" in said


def test_a_synthetic_study_says_so(fake, open_page, text_of):
    assert "synthetic" in text_of(open_page("home"))


def test_a_half_finished_study_shows_what_is_there_and_what_is_not(half, open_page, text_of):
    app = open_page("home")
    said = text_of(app)
    assert "not scored yet" in said  # lakeview
    assert "lost" in said  # the study's process is gone
    assert fake_lab.HILLCREST in said


def test_a_lab_with_sites_and_no_runs_points_to_launch(own, open_page, text_of):
    import shutil

    shutil.rmtree(own.runs)
    said = text_of(open_page("home"))
    assert "No model was trained yet" in said


def test_a_damaged_run_does_not_close_the_page(own, open_page, text_of):
    run = own.run(own.run_ids()[0])
    run.spec.write_text("{broken")
    assert fake_lab.HOME in text_of(open_page("home"))


def test_a_store_that_went_away_is_a_sentence_on_its_card(own, open_page, text_of):
    own.store(fake_lab.LAKEVIEW).unlink()
    assert "no longer in this lab" in text_of(open_page("home"))
