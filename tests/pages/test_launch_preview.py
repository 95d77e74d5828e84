"""The launch page shows what an augmentation does, without torch in its own process."""

import subprocess
import sys

import numpy as np
import pytest

from cxrlab import store
from cxrlab.errors import BadRun, MissingInput
from cxrlab.ui import augment_preview, launching
from tests import fake_lab

KEY = "form-labels-quick.augment-preview"


@pytest.fixture(autouse=True)
def nothing_kept():
    augment_preview._drawn.clear()


def test_pictures_come_from_a_process_of_their_own_and_are_kept(fake, monkeypatch):
    calls, real = [], subprocess.run

    def counted(*args, **more):
        calls.append(args[0])
        return real(*args, **more)

    monkeypatch.setattr(augment_preview.subprocess, "run", counted)
    made = augment_preview.drawn(fake_lab.HOME, "light", 32)
    assert made.original.shape == (augment_preview.N_IMAGES, 32, 32)
    assert made.changed.shape[:2] == (augment_preview.N_IMAGES, 3)
    assert np.array_equal(augment_preview.drawn(fake_lab.HOME, "light", 32).changed, made.changed)
    assert len(calls) == 1
    augment_preview.drawn(fake_lab.HOME, "light", 28)
    assert len(calls) == 2


def test_what_goes_wrong_in_the_process_is_its_own_sentence(fake, monkeypatch):
    with pytest.raises(MissingInput, match="no store"):
        augment_preview.drawn("elsewhere", "light", 32)
    with pytest.raises(BadRun, match="expected 1 to"):
        augment_preview.drawn(fake_lab.HOME, "light", 8)
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(BadRun, match="ended early"):
        augment_preview.drawn(fake_lab.HOME, "light", 32)


def test_a_process_that_hangs_is_ended_with_a_sentence(fake, monkeypatch):
    monkeypatch.setattr(augment_preview, "PATIENCE", 0.01)
    with pytest.raises(BadRun, match="busy"):
        augment_preview.drawn(fake_lab.HOME, "light", 32)


def test_the_launch_page_draws_when_asked_and_not_before(fake, open_page, text_of, monkeypatch):
    sheets = []
    monkeypatch.setattr(augment_preview.strips, "sheet", lambda *args: sheets.append(args))
    app = open_page("launch", what=launching.NETWORK)
    assert not sheets
    app.toggle(key=KEY).set_value(True).run()
    assert not app.exception
    assert not app.error
    assert "6 images" in text_of(app) and "3 draws of **Light**" in text_of(app)
    (pictures, captions, alts, _, _) = sheets[0]
    n, px = augment_preview.N_IMAGES, fake_lab.PX
    assert pictures.shape == (n, px, 4 * px + 3 * 4)
    ids = store.read(fake.store(fake_lab.HOME)).rows["image_id"]
    assert captions[0] == ids[0]
    assert all(f"Radiograph {one} as it is" in alt for one, alt in zip(captions, alts, strict=True))


def test_what_cannot_be_drawn_is_said_beside_the_form(fake, open_page, monkeypatch):
    monkeypatch.setattr(augment_preview, "PATIENCE", 0.01)
    app = open_page("launch", what=launching.NETWORK)
    app.toggle(key=KEY).set_value(True).run()
    assert not app.exception
    assert "busy" in app.error[0].value
    assert not app.button(key="start").disabled


def test_the_web_process_does_not_load_torch_for_it():
    code = "import sys, cxrlab.ui.augment_preview; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, capture_output=True).returncode == 0
