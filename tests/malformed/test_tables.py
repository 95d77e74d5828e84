"""Whatever became of a site's table: one sentence, or every image is in the store or in its quarantine."""

import gzip
import os
import shutil
import tempfile
import warnings
import zlib
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest

from cxrlab.errors import CxrlabError
from cxrlab.intake import origin
from cxrlab.paths import Lab
from tests.malformed import kit
from tests.malformed.text_faults import BROKEN, WHOLE

FAULTS = {**WHOLE, **BROKEN}
TABLES = (".csv", ".csv.gz", ".txt")
# A few of the many for the second, third and tenth table of a site: they are read by the same hands.
FEW = ("UTF-16", "a column of latin-1", "every row twice", "empty", "only the header", "cut in the middle of a line",
       "NUL bytes", "flipped bits", "random bytes", "a ZIP", "1e400 in every column", "a name that climbs")  # fmt: skip


def put(make):
    """Return a deed that puts something else in a table's place."""

    def deed(path: Path) -> None:
        path.unlink()
        make(path)

    return deed


PLACES = {
    "a folder in its place": put(lambda path: path.mkdir()),
    "nothing in its place": put(lambda path: None),
    "a pipe in its place": put(lambda path: os.mkfifo(path)),
    "a link to nothing": put(lambda path: path.symlink_to("nowhere.csv")),
    "a link to itself": put(lambda path: path.symlink_to(path.name)),
    "a link to endless zeros": put(lambda path: path.symlink_to("/dev/zero")),
    "packed": lambda path: path.write_bytes(gzip.compress(path.read_bytes())),
    "packed and cut off": lambda path: path.write_bytes(gzip.compress(path.read_bytes())[:-30]),
    "packed and flipped": lambda path: path.write_bytes(_flipped(gzip.compress(path.read_bytes()))),
    "packed zeros without end": lambda path: path.write_bytes(gzip.compress(bytes(2**26), 1)),
    "a hole of eight gigabytes": put(lambda path: (path.touch(), os.truncate(path, 2**33))),
}


def _flipped(data: bytes) -> bytes:
    out = bytearray(data)
    out[len(out) // 2] ^= 16
    return bytes(out)


@lru_cache
def tables_of(site: str) -> tuple[str, ...]:
    """Return the tables of a site's fake, the largest first: it is the one that names the images."""
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom grumbles at a fake's ages
        kit.maker(site).fake_raw_folder(Path(folder))
        found = [p for p in Path(folder).rglob("*") if p.is_file() and p.name.lower().endswith(TABLES)]
        found = sorted(
            (p for p in found if not p.name.startswith(".")), key=lambda p: (-p.stat().st_size, p.name)
        )
        return tuple(path.relative_to(folder).as_posix() for path in found)


def cases():
    for site in kit.fakeable():
        for k, table in enumerate(tables_of(site)):
            yield from ((site, table, fault) for fault in (FAULTS if k == 0 else FEW))
            yield from ((site, table, place) for place in PLACES if k == 0 or place == "a pipe in its place")


CASES = list(cases())
INPUTS = [f"{site}/{table}: {fault}" for site, table, fault in CASES]


@pytest.fixture(scope="module")
def top(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("tables")
        patch.setenv("CXRLAB_HOME", str(folder / "lab"))
        patch.setattr("cxrlab.intake.decoders.Crew", kit.Here)
        yield folder


@pytest.fixture(scope="module")
def sound(top):
    """Return site → (its raw folder, its store)."""

    @lru_cache
    def of(site):
        raw = top / site
        raw.mkdir()
        kit.maker(site).fake_raw_folder(raw)
        done = kit.say("ingest", site, raw, "--site", "sound", "--size", kit.PX, "--replace")
        assert done.status == 0, done.err
        made = kit.look(Lab.here(), "sound", site, raw)
        assert not made.lost, "of the sound folder"
        return raw, made

    return of


@pytest.mark.parametrize(("site", "table", "fault"), CASES, ids=INPUTS)
def test_a_table_that_was_damaged_loses_nothing_in_silence(top, sound, site, table, fault):
    whole, before = sound(site)
    raw = top / "raw"
    shutil.rmtree(raw, ignore_errors=True)
    shutil.copytree(whole, raw, symlinks=True)
    damage(raw / table, fault)
    done = kit.say("ingest", site, raw, "--site", "tried", "--size", kit.PX, "--replace")
    assert done.status in (0, 2)
    if done.status == 2:
        return kit.check_sentence(done, Path(table).name, "raw", site)
    after = kit.look(Lab.here(), "tried", site, raw)
    assert not after.lost
    for _, reason in after.left_out:
        kit.check_reason(reason)
    for name, _ in after.left_out[:4]:
        try:
            origin.thumbnail(origin.read(Lab.here(), "tried"), name, 32)
        except CxrlabError as error:
            kit.check_reason(str(error))
    if fault in WHOLE or fault == "packed":
        same_as(before, after)


def damage(path: Path, fault: str) -> None:
    if fault in PLACES:
        return PLACES[fault](path)
    data = path.read_bytes()
    packed = data[:2] == b"\x1f\x8b"
    bad = FAULTS[fault](
        gzip.decompress(data) if packed else data, np.random.default_rng(zlib.crc32(fault.encode()))
    )
    path.write_bytes(gzip.compress(bad) if packed else bad)


def same_as(before: kit.Made, after: kit.Made) -> None:
    """Assert that a table which only looks otherwise gives the same store."""
    assert set(before.evidence.index) == set(after.evidence.index)
    assert list(before.evidence) == list(after.evidence)
    assert before.evidence.equals(after.evidence.loc[before.evidence.index])
    facts = ["patient_id", "study_id", "sex", "age_years", "view", "source_file"]
    mine, theirs = (made.rows.set_index("image_id")[facts] for made in (before, after))
    assert mine.equals(theirs.loc[mine.index])
