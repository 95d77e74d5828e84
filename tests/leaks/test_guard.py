"""A site that home knows is refused as external, unless somebody allows it; then every result says so."""

import json

import numpy as np
import pytest

from cxrlab import files, jobs, studies, views
from cxrlab import spec as specs
from cxrlab.__main__ import main
from cxrlab.commands import outcome
from cxrlab.errors import BadSpec
from cxrlab.jobs import request
from cxrlab.leaks import guard, memory
from cxrlab.sites import SITES  # noqa: F401  # registers the readers
from tests.jobs import kit as jobs_kit
from tests.leaks import kit

stub = jobs_kit.stub
N = 42  # the stub of a network scores thirds


@pytest.fixture
def pictures():
    return kit.drawn("north", N, 0)


@pytest.fixture
def strangers():
    return kit.drawn("south", N, 1)


def spec(external=("there",), **fields):
    view = {"source": ["home"], "external": list(external), "labels": ["Pneumonia"], "image_px": 32, **fields}
    few = {"batch": 8}  # the fake homes are small
    return specs.build({"kind": "train", "view": view, "model": {"name": "small_cnn"}, "training": few})


def study(**fields):
    return specs.build({"kind": "study", "source": "home", "external": ["there"], **fields})


def seen(site, n=N):
    """Indices of the rows that training or validation looks at."""
    return [i for i in range(n) if views.split_of(f"{site}-p{i}", site) != "test"]


def test_strangers_are_let_through(lab, pictures, strangers):
    kit.write(lab, "home", pictures), kit.write(lab, "there", strangers)
    assert guard.check(lab, ["home"], ["there"]) == []
    assert request.complete(lab, spec()).data.keys() == {"home", "there"}


def test_copies_are_refused_with_their_number_names_and_the_remedy(lab, pictures, strangers):
    kit.write(lab, "home", pictures)
    copied = np.stack([kit.jpeg(kit.brightened(pictures[i])) for i in seen("home")[:6]])
    kit.write(lab, "there", np.concatenate([strangers[:20], copied]))
    with pytest.raises(BadSpec) as refused:
        request.complete(lab, spec())
    said = str(refused.value)
    assert "there is not new to home: 6 of there's 26 images are near-duplicates" in said
    assert "--allow-overlap" in said and "Leave there out" in said
    found = guard.overlaps(lab, ["home"], ["there"])[0]
    assert (found.n, found.share, found.why) == (6, 6 / 26, "copies")
    assert all(
        there == f"there-{20 + seen('home').index(int(here.removeprefix('home-')))}"
        for here, there in found.examples
    )


def test_one_or_two_copies_are_told_and_no_reason_to_refuse(lab, pictures, strangers):
    kit.write(lab, "home", pictures)
    kit.write(lab, "there", np.concatenate([strangers, pictures[seen("home")[:2]]]))
    (found,) = guard.check(lab, ["home"], ["there"])
    assert found.n == 2 and not found.is_fatal


def test_copies_of_what_home_keeps_for_its_own_test_are_no_leak(lab, pictures):
    kit.write(lab, "home", pictures)
    kept = [i for i in range(N) if i not in seen("home")]
    assert len(kept) >= 3
    kit.write(lab, "there", pictures[kept])
    assert guard.check(lab, ["home"], ["there"]) == []
    official = guard.overlaps(
        lab, ["home"], ["there"], official_split=True
    )  # here home's owner tests on nothing
    assert official[0].n == len(kept)


def test_kin_are_refused_though_no_image_is_alike(lab, pictures, strangers):
    kit.write(lab, "home", pictures, dataset="nih"), kit.write(lab, "there", strangers, dataset="rsna")
    with pytest.raises(BadSpec, match="there is not new to home: all images of the RSNA challenge are NIH"):
        request.complete(lab, spec())


def test_what_cannot_be_ruled_out_is_told_only(lab, pictures, strangers):
    kit.write(lab, "home", pictures, dataset="padchest")
    kit.write(lab, "there", strangers, dataset="covid-radiography")
    (found,) = guard.check(lab, ["home"], ["there"])
    assert found.why == "kin" and not found.is_fatal


def test_two_parts_of_one_dataset_are_strangers_until_they_share_patients(lab, pictures, strangers):
    names = [f"p{i}" for i in range(N)]
    kit.write(lab, "home", pictures, dataset="nih", patients=names)
    kit.write(lab, "there", strangers, dataset="nih", patients=[f"other{i}" for i in range(N)])
    assert guard.check(lab, ["home"], ["there"]) == []
    kit.write(lab, "there", strangers, dataset="nih", patients=names)
    with pytest.raises(BadSpec, match=r"of there's 42 patients are home's"):
        guard.check(lab, ["home"], ["there"])


def test_two_parts_of_a_folder_with_their_own_patients_are_not_refused(lab, tmp_path, pictures):
    import cv2

    from cxrlab import ingest

    for half, rows in (("home", range(30)), ("there", range(30, N))):
        folder = tmp_path / half
        folder.mkdir()
        lines = ["image,patient,Pneumonia"]
        for i in rows:
            cv2.imwrite(str(folder / f"{i}.png"), pictures[i])
            lines.append(f"{i}.png,p{i},{i % 2}")
        (folder / "table.csv").write_text("\n".join(lines))
        ingest.ingest(lab, "folder", folder, half, px=64, workers=1)
    assert guard.check(lab, ["home"], ["there"]) == []
    assert request.complete(lab, spec()).data


def test_the_same_names_in_two_folders_may_be_chance_and_are_told(lab, pictures, strangers):
    names = [str(i) for i in range(N)]
    kit.write(lab, "home", pictures, patients=names), kit.write(lab, "there", strangers, patients=names)
    (found,) = guard.check(lab, ["home"], ["there"])
    assert found.why == "patients" and "perhaps by chance" in found.says and not found.is_fatal


def test_a_planted_copy_of_home_is_refused_unless_it_holds_test_patients_only(lab, pictures):
    names = [f"home-p{i}" for i in range(N)]
    home = kit.write(lab, "home", pictures, patients=names)
    planted = {"from": "home", "from_digest": home.digest, "effect": "blur"}
    dark = np.stack([255 - image for image in pictures])  # no longer alike in pixels
    kit.write(lab, "there", dark, patients=names, planted=planted)
    with pytest.raises(BadSpec, match="of which it is a planted copy"):
        guard.check(lab, ["home"], ["there"])
    kept = [i for i in range(N) if i not in seen("home")]
    kit.write(lab, "there", dark[kept], patients=[names[i] for i in kept], planted=planted)
    assert guard.check(lab, ["home"], ["there"]) == []


@pytest.fixture
def overlapping(stub, pictures):
    """A lab whose site "there" is half of home."""
    kit.write(stub, "home", pictures), kit.write(stub, "there", pictures[:20])
    return stub


@pytest.mark.parametrize("asked", [spec, study], ids=["train", "study"])
def test_the_guard_refuses_before_a_run_is_made(asked, overlapping):
    with pytest.raises(BadSpec, match="near-duplicates of home"):
        jobs.submit(overlapping, asked())
    assert overlapping.run_ids() == []


def test_an_allowed_overlap_runs_and_is_printed_on_the_result(overlapping, capsys):
    allowed = spec(allow_overlap=True)
    run = overlapping.run(jobs.submit(overlapping, allowed))
    assert jobs_kit.wait_for(run, "done").state == "done"
    assert memory.allowed(run)[0].external == "there"
    said = studies.policy_of(specs.read(run.spec), memory.caption(run))
    assert said.endswith("; overlapping sites allowed: there")
    assert any("Overlap allowed of there with home home" in line for line in outcome.overlaps(run))


def test_an_allowed_study_hands_its_permission_to_its_runs(overlapping):
    outline = studies.outline(study(allow_overlap=True), overlapping)
    assert all(planned.view.allow_overlap for planned in outline.specs.values())
    with pytest.raises(BadSpec, match="not new to home"):
        studies.outline(study(), overlapping)


def test_a_permission_that_was_not_needed_is_said_to_be_so(lab, pictures, strangers):
    kit.write(lab, "home", pictures), kit.write(lab, "there", strangers)
    assert studies.policy_of(spec(allow_overlap=True)).endswith("overlapping sites allowed, none found")
    assert "overlapping" not in studies.policy_of(spec())


def test_scoring_at_an_overlapping_site_is_refused_and_if_allowed_told_at_the_run_that_is_scored(overlapping):
    trained = overlapping.run("trained")
    files.write_text(trained.spec, specs.dumps(spec(external=())) + "\n")
    trained.checkpoint.write_bytes(b"weights")
    asked = {"kind": "score", "run": "trained", "sites": ["there"]}
    with pytest.raises(BadSpec, match="there is not new to home"):
        jobs.submit(overlapping, specs.build(asked))
    jobs.submit(overlapping, specs.build({**asked, "allow_overlap": True}))
    assert memory.caption(trained) == "overlapping sites allowed: there"


def test_the_command_line_refuses_with_one_sentence_and_takes_the_override(overlapping, capsys):
    words = ["study", "--source", "home", "--external", "there", "--no-wait"]
    assert main(words) == 2
    assert "there is not new to home" in capsys.readouterr().err
    assert main([*words, "--allow-overlap", "--json"]) == 0
    told = capsys.readouterr()
    assert "there is not all new to home" in told.err
    run = overlapping.run(json.loads(told.out)["run"])
    assert memory.allowed(run)
    jobs.cancel(run)


def test_a_form_need_not_wait_for_what_takes_long(lab, pictures, monkeypatch):
    kit.write(lab, "home", pictures), kit.write(lab, "there", pictures)
    monkeypatch.setattr(guard, "QUICK", 10)
    assert guard.overlaps(lab, ["home"], ["there"], wait=False) == []
    assert guard.overlaps(lab, ["home"], ["there"])[0].n == len(seen("home"))
    assert guard.overlaps(lab, ["home"], ["there"], wait=False)[0].n == len(
        seen("home")
    )  # now it is in the cache


def test_memories_of_two_scorings_add_up(lab):
    run = lab.run("trained")
    one = memory.Overlap("home", "a", "kin", "they are the same (someone)")
    memory.record(run, [one])
    memory.record(
        run, [memory.Overlap("home", "b", "copies", "1 of b's 9 images (x)", 1, 1 / 9, (("h", "t"),), False)]
    )
    memory.record(run, [one])
    assert [found.external for found in memory.recorded(run)] == ["a", "b"]
    assert memory.caption(run) == "overlapping sites allowed: a; 1 of b's 9 images"
