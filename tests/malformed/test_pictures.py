"""Whatever lies in a picture's place, the others are read, and it is left out with a reason or read."""

import json
import shutil
import zlib

import numpy as np
import pytest

from cxrlab.paths import Lab
from cxrlab.sites import SITES
from tests.malformed import kit, picture_faults
from tests.malformed.picture_faults import EITHER, READ, REFUSED

FAULTS = {**READ, **REFUSED, **EITHER}
INPUTS = [f"picture: {name}" for name in FAULTS]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """(what became of a folder with every fault in it, fault → file, the sound pictures' pixels alone)."""
    top = tmp_path_factory.mktemp("pictures")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CXRLAB_HOME", str(top / "lab"))
        raw, sound, of = top / "raw", top / "raw" / "NORMAL" / "sound", {}
        sound.mkdir(parents=True)
        for k in range(3):
            (sound / f"{k}.png").write_bytes(picture_faults.png(np.random.default_rng(k)))
        patch.chdir(top)
        assert (
            kit.say("ingest", "folder", raw, "--site", "before", "--size", kit.PX, "--workers", 1).status == 0
        )
        before = kit.look(Lab.here(), "before", "folder", raw)
        for k, (name, fault) in enumerate(FAULTS.items()):
            path = raw / "PNEUMONIA" / f"{k:03}" / f"{k:03}.png"
            path.parent.mkdir(parents=True)
            path.write_bytes(picture_faults.png(np.random.default_rng(100 + k)))
            rng = np.random.default_rng(zlib.crc32(name.encode()))
            if name == "a link to a picture":
                path.unlink()
                path.symlink_to(sound / "0.png")
            else:
                fault(path, rng)
            of[name] = path.relative_to(raw).as_posix()
        # With a process of its own: what crashes a decoder or never ends must not take the import along.
        done = kit.say("ingest", "folder", raw, "--site", "all", "--size", kit.PX, "--workers", 1, seconds=90)
        assert done.status == 0, done.err
        yield kit.look(Lab.here(), "all", "folder", raw), of, before
        shutil.rmtree(top)


def test_no_file_is_lost_and_the_sound_ones_are_unharmed(folder):
    made, of, before = folder
    assert not made.lost
    assert len(made.rows) + len(made.left_out) == len(of) + 3
    assert before.pixels.items() <= made.pixels.items()


@pytest.mark.parametrize("name", FAULTS)
def test_a_damaged_picture_is_read_or_left_out_with_a_reason(folder, name):
    made, of, _ = folder
    reasons = [reason for file, reason in made.left_out if file == of[name]]
    inside = of[name] in made.pixels
    assert len(reasons) + inside == 1
    if name in READ:
        assert inside, reasons
    if name in REFUSED:
        assert not inside, "it became a row"
    if reasons:
        kit.check_reason(reasons[0])
    else:
        assert np.frombuffer(made.pixels[of[name]], np.uint8).std() > 1


@pytest.fixture(scope="module", params=[site for site in kit.fakeable() if site != "phantom"])
def site_with_bad_pictures(request, tmp_path_factory):
    """(site, its fake's store, the store after some pictures were damaged, damaged file → fault)."""
    site, top = request.param, tmp_path_factory.mktemp(request.param)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CXRLAB_HOME", str(top / "lab"))
        patch.setattr("cxrlab.intake.decoders.Crew", kit.Here)
        raw = top / "raw"
        raw.mkdir()
        kit.maker(site).fake_raw_folder(raw)
        assert kit.say("ingest", site, raw, "--site", "before", "--size", kit.PX).status == 0
        before = kit.look(Lab.here(), "before", site, raw)
        files = [name for name in dict.fromkeys(before.rows["source_file"]) if (raw / name).is_file()]
        if not files:
            pytest.skip(f"the pictures of {site} are no files of their own")
        damaged = dict(zip(files[: len(files) - 2], SOME, strict=False))
        for file, name in damaged.items():
            REFUSED[name](raw / file, np.random.default_rng(0))
        done = kit.say("ingest", site, raw, "--site", "after", "--size", kit.PX)
        assert done.status == 0, done.err
        looked = kit.say("ingest", site, raw, "--site", "after", "--dry-run", "--json")
        assert looked.status == 0 and json.loads(looked.out)["n_images"] >= 2
        yield site, before, kit.look(Lab.here(), "after", site, raw), damaged


SOME = ("a pipe that nobody writes", "empty", "a Git LFS pointer", "a link to nothing", "PNG cut at 50%", "a web page",
        "a link to endless zeros", "zeros", "random bytes", "a link to itself", "a hole of a terabyte")  # fmt: skip


def test_every_site_leaves_out_damaged_pictures_alone(site_with_bad_pictures):
    site, before, after, damaged = site_with_bad_pictures
    assert len(damaged) >= 1 and not after.lost
    for file, name in damaged.items():
        assert file not in after.pixels, f"{name} became a row"
        assert kit.named(file, after.left_out), f"{name} in place of {file} vanished: {after.left_out}"
    whole = {name: pixels for name, pixels in before.pixels.items() if name not in damaged}
    assert whole.items() <= after.pixels.items()
    for _, reason in after.left_out:
        kit.check_reason(reason)
    assert SITES[site].name == site


NAMES = (b"caf\xe9.png", b"line\nbreak.png", b"\x1b[2J.png", "🫁.png".encode(), b"a" * 250 + b".png", b"-rf.png", b" .png",
         b"%s%n.png", b"a'b\"c.png", b"\xe2\x80\xae.png", b"con.png", b".png.png", b"nul\x01.png", b"#train.png")  # fmt: skip
NAME_INPUTS = [f"file name: {name!r:.40}" for name in NAMES]


@pytest.mark.parametrize("name", NAMES, ids=NAME_INPUTS)
def test_a_file_may_have_any_name(tmp_path, lab, monkeypatch, name):
    monkeypatch.setattr("cxrlab.intake.decoders.Crew", kit.Here)
    raw = tmp_path / "raw"
    (raw / "NORMAL").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for one in (b"sound.png", name):
        (raw / "NORMAL" / one.decode("utf-8", "surrogateescape")).write_bytes(picture_faults.png(rng))
    done = kit.say("ingest", "folder", raw, "--site", "odd", "--size", kit.PX)
    if done.status:
        return kit.check_sentence(done, "raw")
    made = kit.look(Lab.here(), "odd", "folder", raw)
    hidden = name.startswith(b".")  # by the system's own custom
    assert len(made.rows) + len(made.left_out) == 2 - hidden
    for words in (("show", "odd"), ("show", "odd", "--json"), ("check", "odd")):
        shown = kit.say("sites", *words)
        assert shown.status == 0 and "\x1b" not in shown.out
