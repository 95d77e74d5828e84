"""A run that has scored home alone is half of a study, not an error."""

import pytest

from tests import fake_lab


@pytest.fixture
def only_home(own):
    for run_id in own.run_ids():
        for site in fake_lab.EXTERNALS:
            run = own.run(run_id)
            for path in (run.predictions(site), run.maps(site), run.latents(site), run.reconstructions(site)):
                path.unlink(missing_ok=True)
    return own


@pytest.mark.parametrize(
    ("page", "said"),
    [
        ("generalization", "no external site has been scored yet"),
        ("thresholds", "Tuned on *riverside val*"),
        ("shift", "has scored no external site yet"),
        ("heatmaps", "At *riverside*"),
    ],
)
def test_a_page_shows_what_home_alone_can_tell(only_home, open_page, text_of, page, said):
    assert said in text_of(open_page(page))
