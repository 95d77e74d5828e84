"""An archive becomes a folder, whole or not at all, and never reaches outside it."""

import gzip
import io
import os
import stat
import tarfile
import zipfile

import pytest

from cxrlab.errors import BadInput
from cxrlab.fetching import unpack as room
from cxrlab.fetching.unpack import Damaged, unpack
from cxrlab.progress import Progress

FILES = {"set/metadata.csv": b"a,b\n1,2\n", "set/images/x.png": os.urandom(5000), "set/images/y.png": b""}


def make_zip(path, members=None, links=()):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("set/", b"")
        for name, body in (members or FILES).items():
            archive.writestr(name, body)
        for name in links:
            info = zipfile.ZipInfo(name)
            info.external_attr = (stat.S_IFLNK | 0o777) << 16
            archive.writestr(info, "/etc/passwd")
    return path


def make_tgz(path, members=None, special=()):
    with tarfile.open(path, "w:gz") as archive:
        for name, body in (members or FILES).items():
            info = tarfile.TarInfo(name)
            info.size = len(body)
            archive.addfile(info, io.BytesIO(body))
        for name, kind in special:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
    return path


MAKERS = {"zip": make_zip, "tar.gz": make_tgz}


def tree(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("kind", MAKERS)
def test_an_archive_becomes_its_folder(kind, tmp_path):
    archive = MAKERS[kind](tmp_path / f"a.{kind}")
    lines = []
    assert unpack(archive, tmp_path / "out", Progress(every=0, echo=lines.append), strip=1) == 3
    assert tree(tmp_path / "out") == {name.removeprefix("set/"): body for name, body in FILES.items()}
    assert lines[-1]["done"] == lines[-1]["of"] > 0
    assert sorted(p.name for p in tmp_path.iterdir()) == [archive.name, "out"]


OUTSIDE = ["../evil", "a/../../evil", "/abs/evil", "C:/evil", "a\\..\\evil", "x" * 300]


@pytest.mark.parametrize("name", OUTSIDE)
@pytest.mark.parametrize("kind", MAKERS)
def test_a_name_that_leads_outside_unpacks_nothing(kind, name, tmp_path):
    archive = MAKERS[kind](tmp_path / f"a.{kind}", {"good.png": b"1", name: b"2"})
    with pytest.raises(BadInput, match="nothing was unpacked"):
        unpack(archive, tmp_path / "in" / "out", Progress())
    assert list((tmp_path / "in").iterdir()) == []
    assert sorted(p.name for p in tmp_path.iterdir()) == [archive.name, "in"]


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_in_a_tar_are_refused(kind, tmp_path):
    archive = make_tgz(tmp_path / "a.tar.gz", special=[("set/link", kind)])
    with pytest.raises(BadInput, match="link or a device"):
        unpack(archive, tmp_path / "out", Progress())
    assert not (tmp_path / "out").exists()


def test_a_link_in_a_zip_is_refused(tmp_path):
    with pytest.raises(BadInput, match="link or a device"):
        unpack(make_zip(tmp_path / "a.zip", links=["set/link"]), tmp_path / "out", Progress())
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("kind", MAKERS)
def test_a_bomb_is_refused(kind, tmp_path, monkeypatch):
    monkeypatch.setattr(room, "ALWAYS_ALLOWED", 10_000)
    archive = MAKERS[kind](tmp_path / f"a.{kind}", {"zeros": bytes(5_000_000)})
    with pytest.raises(BadInput, match="claims more than"):
        unpack(archive, tmp_path / "out", Progress())
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("kind", MAKERS)
def test_a_member_that_is_there_twice_is_refused(kind, tmp_path):
    archive = MAKERS[kind](tmp_path / f"a.{kind}", {"x": b"1", "x/y": b"2"})
    with pytest.raises(BadInput, match="twice"):
        unpack(archive, tmp_path / "out", Progress())


@pytest.mark.parametrize("kind", MAKERS)
@pytest.mark.parametrize("keep", [0.02, 0.5, 0.95, 0.999])
def test_an_archive_that_ends_early_is_damaged_and_leaves_nothing(kind, keep, tmp_path):
    archive = MAKERS[kind](tmp_path / f"a.{kind}", {f"{i}.png": os.urandom(3000) for i in range(20)})
    whole = archive.read_bytes()
    archive.write_bytes(whole[: int(len(whole) * keep)])
    with pytest.raises(Damaged):
        unpack(archive, tmp_path / "out", Progress())
    assert [p.name for p in tmp_path.iterdir()] == [archive.name]


@pytest.mark.parametrize("kind", MAKERS)
def test_flipped_bytes_never_pass_for_images(kind, tmp_path):
    body = os.urandom(20_000)
    archive = MAKERS[kind](tmp_path / f"a.{kind}", {"x.png": body})
    whole = bytearray(archive.read_bytes())
    whole[len(whole) // 2] ^= 255
    archive.write_bytes(whole)
    with pytest.raises(BadInput):
        unpack(archive, tmp_path / "out", Progress())
    assert not (tmp_path / "out").exists()


def test_what_is_no_archive_is_said(tmp_path):
    for name, body in (("a.zip", b"<html>"), ("a.tgz", b"<html>"), ("b.tgz", gzip.compress(b"not a tar"))):
        (tmp_path / name).write_bytes(body)
        with pytest.raises(Damaged, match=r"cannot be unpacked|holds no file"):
            unpack(tmp_path / name, tmp_path / "out", Progress())


def test_shadows_of_a_mac_are_left_out(tmp_path):
    archive = make_zip(
        tmp_path / "a.zip",
        {"c/x.png": b"1", "__MACOSX/c/._x.png": b"2", "c/.DS_Store": b"3", "c/._x.png": b"4"},
    )
    assert unpack(archive, tmp_path / "out", Progress()) == 1
    assert list(tree(tmp_path / "out")) == ["c/x.png"]


def test_what_a_killed_unpacking_left_is_thrown_away(tmp_path):
    (tmp_path / ".out.unpacking").mkdir()
    (tmp_path / ".out.unpacking" / "half.png").write_bytes(b"ha")
    unpack(make_zip(tmp_path / "a.zip"), tmp_path / "out", Progress())
    assert "half.png" not in tree(tmp_path / "out")
    assert not (tmp_path / ".out.unpacking").exists()
