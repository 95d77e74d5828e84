"""A download goes on where it stopped, tells a changed file from the same one, and never leaves a wrong file."""

import hashlib
import socket

import pytest

from cxrlab.errors import BadInput, MissingInput, NoSpace
from cxrlab.fetching import download as room
from cxrlab.fetching.catalogue import RemoteFile
from cxrlab.fetching.download import Patience
from cxrlab.fetching.part import Part
from cxrlab.progress import Progress

BODY = hashlib.shake_128(b"radiographs").digest(300_000)
HASTY = Patience(stall=5.0, tries=4, first_wait=0.0)


def remote(body=BODY, **more):
    facts = {"bytes": len(body), "md5": hashlib.md5(body).hexdigest()} | more
    return RemoteFile("https://example.org/a.npz", "a.npz", **facts)


def bring(address, folder, file=None, patience=HASTY, lines=None, **more):
    tell = Progress(every=0.0, echo=(lines.append if lines is not None else None))
    return room.download(file or remote(), f"{address}/a.npz", folder, tell, patience, **more)


def left(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_whole_download_is_checked_and_leaves_only_itself(manners, address, tmp_path):
    manners.files["a.npz"] = BODY
    lines = []
    sha256 = bring(address, tmp_path, lines=lines)
    assert (tmp_path / "a.npz").read_bytes() == BODY
    assert sha256 == hashlib.sha256(BODY).hexdigest()
    assert left(tmp_path) == ["a.npz"]
    assert {line["stage"] for line in lines} == {"fetching a.npz", "checking a.npz"}
    assert max(line["done"] for line in lines) == len(BODY)


def test_a_dropped_connection_is_gone_on_with_and_no_byte_is_fetched_twice(manners, address, tmp_path):
    manners.files["a.npz"] = BODY
    manners.cut_after = [100_000, 50_000]
    bring(address, tmp_path)
    assert (tmp_path / "a.npz").read_bytes() == BODY
    ranges = [asked for _, asked, _, _ in manners.seen]
    assert ranges[0] is None
    assert all(asked.startswith("bytes=") for asked in ranges[1:])
    assert all(condition == '"one"' for _, _, condition, _ in manners.seen[1:])
    assert sum(sent for *_, sent in manners.seen) == len(BODY)


def test_a_later_call_goes_on_where_an_earlier_one_gave_up(manners, address, tmp_path):
    manners.files["a.npz"] = BODY
    manners.cut_after, manners.answers = [200_000], [0, 500, 500, 500, 500]
    with pytest.raises(MissingInput, match=r"200,000 bytes have come and are kept"):
        bring(address, tmp_path, patience=Patience(5.0, 4, 0.0))
    assert not (tmp_path / "a.npz").exists()
    bring(address, tmp_path)
    assert manners.seen[-1][1] == "bytes=200000-"
    assert (tmp_path / "a.npz").read_bytes() == BODY


def test_a_server_without_ranges_starts_anew_and_still_ends_whole(manners, address, tmp_path):
    manners.files["a.npz"], manners.ranges = BODY, False
    manners.cut_after = [100_000]
    bring(address, tmp_path)
    assert (tmp_path / "a.npz").read_bytes() == BODY
    assert manners.seen[-1][3] == len(BODY)


def test_a_server_that_sends_pieces_without_a_size_ends_whole(manners, address, tmp_path):
    manners.files["a.npz"], manners.chunked, manners.etag = BODY, True, 'W/"weak"'
    manners.cut_after = [150_000]
    bring(address, tmp_path, file=remote(bytes=None, md5=None))
    assert (tmp_path / "a.npz").read_bytes() == BODY
    assert manners.seen[1][1] is None, "a weak mark may not join halves"


def test_a_file_that_changed_between_two_calls_is_not_joined(manners, address, tmp_path):
    manners.files["a.npz"] = bytes(len(BODY))
    manners.cut_after, manners.answers = [100_000], [0, 503, 503, 503, 503]
    with pytest.raises(MissingInput):
        bring(address, tmp_path)
    manners.files["a.npz"], manners.etag = BODY, '"two"'
    bring(address, tmp_path)
    assert (tmp_path / "a.npz").read_bytes() == BODY
    assert manners.seen[-1][3] == len(BODY)


def test_a_server_that_overlooks_if_range_is_caught_by_its_mark(manners, address, tmp_path):
    manners.files["a.npz"] = bytes(len(BODY))
    manners.cut_after, manners.answers = [100_000], [0, 503, 503, 503, 503]
    with pytest.raises(MissingInput):
        bring(address, tmp_path, file=remote(md5=None))
    manners.files["a.npz"], manners.etag, manners.ignore_if_range = BODY, '"two"', True
    bring(address, tmp_path, file=remote(md5=None))
    assert (tmp_path / "a.npz").read_bytes() == BODY


def test_halves_that_nothing_tells_apart_but_the_checksum_are_fetched_anew(manners, address, tmp_path):
    manners.files["a.npz"], manners.etag, manners.modified = BODY, "", ""
    Part(tmp_path, "a.npz").begin({"url": f"{address}/a.npz"})
    (tmp_path / "a.npz.part").write_bytes(b"x" * 1000)
    bring(address, tmp_path)
    assert [sent for *_, sent in manners.seen] == [len(BODY) - 1000, len(BODY)]
    assert (tmp_path / "a.npz").read_bytes() == BODY


def test_without_mark_and_checksum_a_part_is_thrown_away(manners, address, tmp_path):
    manners.files["a.npz"], manners.etag = BODY, ""
    Part(tmp_path, "a.npz").begin({"url": f"{address}/a.npz"})
    (tmp_path / "a.npz.part").write_bytes(BODY[:1000])
    bring(address, tmp_path, file=remote(md5=None))
    assert manners.seen[0][1] is None


def test_a_last_modified_date_joins_halves_where_there_is_no_etag(manners, address, tmp_path):
    manners.files["a.npz"], manners.etag = BODY, ""
    manners.modified, manners.cut_after = "Wed, 21 Oct 2020 07:28:00 GMT", [100_000]
    bring(address, tmp_path, file=remote(md5=None))
    assert manners.seen[1][2] == manners.modified
    assert sum(sent for *_, sent in manners.seen) == len(BODY)


def test_damaged_bytes_are_a_sentence_and_the_part_is_gone(manners, address, tmp_path):
    manners.files["a.npz"] = BODY[:-1] + bytes([BODY[-1] ^ 1])
    with pytest.raises(BadInput, match=r"came damaged or was replaced.*its MD5 should be"):
        bring(address, tmp_path)
    assert left(tmp_path) == []
    manners.files["a.npz"] = BODY
    bring(address, tmp_path)
    assert (tmp_path / "a.npz").read_bytes() == BODY


def test_a_first_download_is_what_later_ones_are_compared_with(manners, address, tmp_path):
    manners.files["a.npz"] = BODY
    file = remote(bytes=None, md5=None)
    with pytest.raises(BadInput, match="SHA256SUMS"):
        bring(address, tmp_path, file=file, known_sha256="0" * 64)
    bring(address, tmp_path, file=file, known_sha256=hashlib.sha256(BODY).hexdigest())


def test_another_size_than_published_is_refused_before_a_byte_is_kept(manners, address, tmp_path):
    manners.files["a.npz"] = BODY
    with pytest.raises(BadInput, match=r"offers 300,000 bytes.*published are 299,999"):
        bring(address, tmp_path, file=remote(bytes=299_999))
    assert left(tmp_path) == []


def test_a_slow_line_is_no_dead_line_while_bytes_come(manners, address, tmp_path):
    manners.files["a.npz"] = BODY[:2000]
    manners.drip = (80, 0.1)  # two and a half seconds in all: longer than our patience
    lines = []
    bring(address, tmp_path, file=remote(BODY[:2000]), patience=Patience(stall=2.0, tries=1), lines=lines)
    assert len(manners.seen) == 1
    assert len({line["done"] for line in lines if line["stage"] == "fetching a.npz"}) > 5


def test_a_dead_line_is_given_up_and_tried_again(manners, address, tmp_path):
    manners.files["a.npz"] = BODY[:2000]
    manners.drip = (1000, 2.0)  # a pause longer than our patience, after half of it
    lines = []
    bring(address, tmp_path, file=remote(BODY[:2000]), patience=Patience(0.5, 4, 0.0), lines=lines)
    assert any("no byte came" in line["stage"] for line in lines)
    assert (tmp_path / "a.npz").read_bytes() == BODY[:2000]


def test_503_then_the_file(manners, address, tmp_path):
    manners.files["a.npz"], manners.answers, manners.retry_after = BODY, [503, 429], "0"
    lines = []
    bring(address, tmp_path, lines=lines)
    assert (tmp_path / "a.npz").read_bytes() == BODY
    assert any("503" in line["stage"] for line in lines)


def test_404_is_said_at_once_with_a_way_out(manners, address, tmp_path):
    with pytest.raises(MissingInput, match=r"does not give .*404.*put the file at .*a\.npz and start again"):
        bring(address, tmp_path)
    assert len(manners.seen) == 1


def test_a_web_page_is_not_taken_for_the_file(manners, address, tmp_path):
    manners.files["a.npz"], manners.page = BODY, True
    with pytest.raises(MissingInput, match="sent a web page instead"):
        bring(address, tmp_path)
    assert left(tmp_path) == []


def test_nobody_at_home_names_the_host_and_what_to_do(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(
        MissingInput, match=rf"127.0.0.1:{port} cannot be reached.*HTTPS_PROXY.*with a browser"
    ):
        bring(f"http://127.0.0.1:{port}", tmp_path)


def test_an_unknown_host_is_offline_in_words(tmp_path, monkeypatch):
    def nowhere(*said, **more):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", nowhere)
    with pytest.raises(MissingInput, match=r"zenodo\.example cannot be reached"):
        bring("http://zenodo.example", tmp_path)


def test_a_full_disk_is_said_before_the_download_begins(manners, address, tmp_path, monkeypatch):
    manners.files["a.npz"] = BODY
    usage = type("Usage", (), {"free": 1000})
    monkeypatch.setattr(room.shutil, "disk_usage", lambda path: usage)
    with pytest.raises(NoSpace, match="make room there"):
        bring(address, tmp_path)


def test_a_disk_that_fills_up_on_the_way_keeps_what_came(manners, address, tmp_path, monkeypatch):
    import resource
    import signal

    manners.files["a.npz"] = BODY
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, old[1]))
    try:
        with pytest.raises(NoSpace):
            bring(address, tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
        signal.signal(signal.SIGXFSZ, handler)
    assert (tmp_path / "a.npz.part").stat().st_size == 100_000
    bring(address, tmp_path)
    assert manners.seen[-1][1] == "bytes=100000-"
    assert (tmp_path / "a.npz").read_bytes() == BODY


@pytest.mark.parametrize(
    "url", ["http://example.org/a", "ftp://example.org/a", "file:///etc/passwd", "a.npz"]
)
def test_only_protected_addresses_are_fetched_from(url):
    with pytest.raises(BadInput, match="https://"):
        room.check_address(url)


def test_a_chosen_mirror_and_this_machine_may_be_plain():
    room.check_address("http://mirror.hospital/x", mirror=True)
    room.check_address("http://127.0.0.1:8000/x")
    room.check_address("https://zenodo.org/x")


def test_a_redirect_to_plain_http_is_refused():
    import urllib.request

    request = urllib.request.Request("https://example.org/a")
    with pytest.raises(BadInput, match="unprotected"):
        room._Redirect().redirect_request(request, None, 302, "Found", {}, "http://example.org/a")
