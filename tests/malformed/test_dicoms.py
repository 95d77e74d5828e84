"""Whatever an archive gives in a radiograph's place, the others are read, and it is left out with a reason or read."""

import warnings
import zlib

import numpy as np
import pytest

from cxrlab.paths import Lab
from tests.malformed import dicom_faults, kit
from tests.malformed.dicom_faults import EITHER, READ, REFUSED

FAULTS = {**READ, **REFUSED, **EITHER}
INPUTS = [f"DICOM: {name}" for name in FAULTS]
SECRET = "Mustermann-Geheim"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """(what became of a folder with every fault in it, fault → file, the sound ones' pixels alone, the store's bytes)."""
    top = tmp_path_factory.mktemp("dicoms")
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom grumbles while we write what it would not
        patch.setenv("CXRLAB_HOME", str(top / "lab"))
        raw, of = top / "raw", {}
        for k in range(3):
            dicom_faults.write(raw / f"sound{k}.dcm", np.random.default_rng(k), SOPInstanceUID=f"1.9.{k}")
        assert (
            kit.say("ingest", "dicom", raw, "--site", "before", "--size", kit.PX, "--workers", 1).status == 0
        )
        before = kit.look(Lab.here(), "before", "dicom", raw)
        for k, (name, fault) in enumerate(FAULTS.items()):
            of[name] = f"{k:03}.dcm"
            fault(raw / of[name], np.random.default_rng(zlib.crc32(name.encode())))
        done = kit.say("ingest", "dicom", raw, "--site", "all", "--size", kit.PX, "--workers", 1, seconds=90)
        assert done.status == 0, done.err
        yield kit.look(Lab.here(), "all", "dicom", raw), of, before


def test_no_dicom_is_lost_and_the_sound_ones_are_unharmed(folder):
    made, of, before = folder
    assert not made.lost
    assert len(made.rows) + len(made.left_out) == len(of) + 3
    assert before.pixels.items() <= made.pixels.items()


@pytest.mark.parametrize("name", FAULTS)
def test_a_damaged_dicom_is_read_or_left_out_with_a_reason(folder, name):
    made, of, _ = folder
    reasons = [reason for file, reason in made.left_out if file == of[name]]
    inside = of[name] in made.pixels
    assert len(reasons) + inside == 1
    if name in READ:
        assert inside, reasons
    if name in REFUSED:
        assert not inside, "it became a row"
    for reason in reasons:
        kit.check_reason(reason)
    if inside:
        assert np.frombuffer(made.pixels[of[name]], np.uint8).std() > 1
