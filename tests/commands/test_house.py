import json
import sys

import pytest

from cxrlab import doctor
from cxrlab.__main__ import main
from cxrlab.bench.base import Line
from cxrlab.commands import house


def test_every_benchmark_can_be_imported_and_has_a_run():
    import importlib

    assert {"ingest", "loader", "train"} <= set(house.bench_names())
    for name in house.bench_names():
        assert callable(importlib.import_module(f"cxrlab.bench.{name}").run)


def test_an_unknown_benchmark_is_a_sentence_and_exit_2(capsys):
    assert main(["bench", "nothing"]) == 2
    assert "no benchmark named 'nothing'" in capsys.readouterr().err


def test_a_missed_bar_says_by_how_much():
    line = Line("x", "things", 1.0, 2.0, "a second", 0.5, 0.85)
    assert "missed by 0.35" in house.sentence(line)


def test_doctor_finds_what_is_here(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("CXRLAB_HOME", str(tmp_path / "lab"))
    assert main(["doctor", "--json"]) == 0
    found = {f["what"]: f for f in json.loads(capsys.readouterr().out)}
    assert found["Python"]["found"] == ".".join(map(str, sys.version_info[:3]))
    assert found["torch with torchvision"]["state"] == "ok"
    assert not (tmp_path / "lab").exists(), "looking changes nothing"


def test_doctor_names_a_missing_package_and_its_remedy(monkeypatch):
    monkeypatch.setattr(doctor, "NEEDED", ["a-package-that-is-not-there"])
    (finding,) = doctor.packages()
    assert finding.state == "missing"
    assert "requirements.txt" in finding.remedy


@pytest.mark.skipif(sys.platform != "linux", reason="asks the kernel's file system")
def test_doctor_says_when_the_lab_cannot_be_written(tmp_path):
    finding = doctor.locks(tmp_path.__class__("/proc/lab"))
    assert finding.state == "missing"
    assert "CXRLAB_HOME" in finding.remedy
