"""Files are whole or absent, whoever dies and whatever fills up."""

import errno
import os

import pytest

from cxrlab import files
from cxrlab.errors import BadInput, NoSpace


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_broken_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.txt"
    files.write_text(path, "old")
    with pytest.raises(ValueError, match="stop"), files.whole(path) as part:
        part.write_text("new")
        raise ValueError("stop")
    assert path.read_text() == "old" and names(tmp_path) == ["a.txt"]


def test_a_finished_write_takes_the_place_at_once(tmp_path):
    path = tmp_path / "deep" / "a.txt"
    with files.whole(path) as part:
        part.write_text("new")
        assert not path.exists() and part.parent == path.parent
    assert path.read_text() == "new" and names(path.parent) == ["a.txt"]


def test_what_a_killed_process_left_is_removed_and_nothing_else(tmp_path):
    for name in ("a.h5", "a.h5.part-123", "a.h5.part-9", "b.h5.part-1", "a.h5.partial"):
        (tmp_path / name).write_text("x")
    files.remove_parts(tmp_path / "a.h5")
    assert names(tmp_path) == ["a.h5", "a.h5.partial", "b.h5.part-1"]


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        (errno.ENOSPC, "the disk filled up"),
        (errno.EDQUOT, "your disk quota"),
        (errno.EFBIG, "the largest file size"),
    ],
)
def test_a_full_disk_is_a_sentence_with_a_remedy(tmp_path, code, sentence):
    path = tmp_path / "a"
    with pytest.raises(NoSpace, match=rf"{sentence}.* while writing {path}.*CXRLAB_HOME"), files.whole(path):
        raise OSError(code, os.strerror(code))
    # HDF5 gives the words without the number.
    with pytest.raises(NoSpace, match=sentence), files.no_space_is_a_sentence(path):
        raise RuntimeError(f"Can't write data (file write failed: error message = '{os.strerror(code)}')")


def test_another_failure_keeps_its_own_name(tmp_path):
    with pytest.raises(PermissionError), files.whole(tmp_path / "a"):
        raise PermissionError(errno.EACCES, "Permission denied")
    with pytest.raises(RuntimeError, match="bug"), files.whole(tmp_path / "a"):
        raise RuntimeError("bug")


def test_room_is_taken_or_refused_before_a_byte_is_written(tmp_path):
    files.reserve(tmp_path / "a", 5000)
    assert (tmp_path / "a").stat().st_size == 5000
    with pytest.raises(OSError):  # ENOSPC here, EFBIG there
        files.reserve(tmp_path / "b", 2**62)


def test_json_is_whole_and_never_nan(tmp_path):
    path = tmp_path / "a.json"
    files.write_json(path, {"a": [1, "ü"]})
    assert files.read_json(path) == {"a": [1, "ü"]}
    with pytest.raises(ValueError, match="JSON compliant"):
        files.write_json(path, {"a": float("nan")})
    assert files.read_json(path) == {"a": [1, "ü"]}


@pytest.mark.parametrize("data", [b"{", b"", b"\xff\xfe"])
def test_what_is_no_json_is_a_sentence(tmp_path, data):
    (tmp_path / "a.json").write_bytes(data)
    with pytest.raises(BadInput, match="is not JSON"):
        files.read_json(tmp_path / "a.json")


def test_a_digest_depends_on_where_the_parts_end():
    assert files.digest_of("ab", "c") != files.digest_of("a", "bc")
    assert files.digest_of("ab") == files.digest_of(b"ab") and len(files.digest_of()) == 64


@pytest.mark.parametrize(
    "name", ["", "..", "a/b", "a\\b", "A", "ü", ".a", "-a", "a.", "x" * 65, "a b", "a\n"]
)
def test_a_name_that_is_unsafe_somewhere_is_refused(name):
    with pytest.raises(BadInput, match="cannot be a site's name"):
        files.check_name(name, "site")


@pytest.mark.parametrize("name", ["a", "nih-2017", "north_2", "0.5", "x" * 64])
def test_a_plain_name_will_do(name):
    files.check_name(name, "site")
