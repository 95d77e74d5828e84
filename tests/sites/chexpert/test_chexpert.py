"""CheXpert, each quirk of its files by name."""

import gzip
import importlib.util
import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from cxrlab import ingest, store
from cxrlab.errors import BadInput, MissingInput
from cxrlab.labels import Evidence
from cxrlab.sites import SITES, chexlocalize

SITE = SITES["chexpert"]
spec = importlib.util.spec_from_file_location("make", Path(__file__).parent / "make.py")
make = importlib.util.module_from_spec(spec)
spec.loader.exec_module(make)
POSITIVE, NEGATIVE, UNCERTAIN, BLANK, NEVER = (
    1,
    0,
    -1,
    int(Evidence.NOT_MENTIONED),
    int(Evidence.NOT_ANNOTATED),
)
PICTURE = "_study1_view1_frontal"


@pytest.fixture
def raw(tmp_path):
    folder = tmp_path / "raw"
    folder.mkdir()
    make.fake_raw_folder(folder)
    return folder


def read(raw, **options):
    return SITE.read(raw, "chexpert", options)


def said(found, image_id):
    at = int(np.flatnonzero(found.rows["image_id"] == image_id)[0])
    return dict(zip(found.header.labels, found.evidence[at].tolist(), strict=True))


def row(found, image_id):
    return found.rows.set_index("image_id").loc[image_id]


def fact(found, image_id, name):
    return found.facts[name][found.rows["image_id"] == image_id].item()


def change(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_columns_are_selected_by_name_never_by_position(raw):
    before = read(raw)
    for name in ("train.csv", "valid.csv"):
        path = raw / make.TOP / name
        lines = [line.split(",") for line in path.read_text().splitlines()]
        order = [0, *range(len(lines[0]) - 1, 0, -1)]
        path.write_text("\n".join(",".join(line[k] for k in order) for line in lines) + "\n")
    after = read(raw)
    assert after.rows.equals(before.rows) and np.array_equal(after.evidence, before.evidence)


def test_cells_stay_evidence_positive_negative_uncertain_or_blank(raw):
    one = said(read(raw), "patient00002" + PICTURE)
    assert one["Edema"] == POSITIVE and one["Consolidation"] == NEGATIVE
    assert one["Cardiomegaly"] == one["Pleural Effusion"] == UNCERTAIN
    assert one["Pneumonia"] == one["No Finding"] == BLANK


def test_no_finding_is_only_ever_one_or_blank_and_a_blank_one_is_not_made_negative(raw):
    found = read(raw)
    none = found.evidence[(found.rows["split_hint"] == "train"), found.header.labels.index("No Finding")]
    assert set(none.tolist()) == {POSITIVE, BLANK}


def test_no_finding_allows_devices(raw):
    path = raw / make.TOP / "train.csv"
    change(path, "AP,1.0,,,,,,,,,,,,,\n", "AP,1.0,,,,,,,,,,,,,1.0\n")
    one = said(read(raw), "patient00001" + PICTURE)
    assert one["No Finding"] == one["Support Devices"] == POSITIVE


def test_a_row_with_all_fourteen_blank_is_kept_and_nothing_is_said_of_it(raw):
    assert set(said(read(raw), "patient00002_study2_view1_frontal").values()) == {BLANK}


def test_labels_of_two_studies_of_one_patient_are_never_mixed(raw):
    """The trap: pandas' groupby().first() takes the first cell that is not blank, from whichever study has it."""
    found = read(raw)
    of = found.rows["patient_id"] == "patient00002"
    assert found.rows["study_id"][of].tolist() == ["patient00002_study1", "patient00002_study2"]
    first, second = (said(found, name) for name in found.rows["image_id"][of])
    assert first["Edema"] == POSITIVE and second["Edema"] == BLANK
    text = (raw / make.TOP / "train.csv").read_text().splitlines()
    (raw / make.TOP / "train.csv").write_text("\n".join([text[0], *reversed(text[1:])]) + "\n")
    found = read(raw)
    assert said(found, "patient00002_study2_view1_frontal") == second
    assert said(found, "patient00002" + PICTURE) == first


def test_labels_are_of_the_study_so_both_its_views_have_them(raw):
    found = read(raw, views="all")
    assert said(found, "patient00002" + PICTURE) == said(found, "patient00002_study1_view2_lateral")


def test_age_0_is_missing(raw):
    assert np.isnan(row(read(raw), "patient00003" + PICTURE)["age_years"])


def test_age_90_is_top_coded_and_says_so(raw):
    found = read(raw)
    assert row(found, "patient00002" + PICTURE)["age_years"] == 90
    assert fact(found, "patient00002" + PICTURE, "age_note") == "90 or older"
    assert fact(found, "patient00001" + PICTURE, "age_note") == ""


def test_sex_unknown_is_not_said(raw):
    assert row(read(raw), "patient00003" + PICTURE)["sex"] == ""


def test_laterals_have_a_blank_projection_and_stay_out_unless_wanted(raw):
    left_out = dict(read(raw).quarantine)
    assert "views=all" in left_out[f"{make.TOP}/train/patient00002/study1/view2_lateral.jpg"]
    found = read(raw, views="all")
    assert row(found, "patient00002_study1_view2_lateral")["view"] == "LATERAL"
    assert fact(found, "patient00002_study1_view2_lateral", "projection") == ""


def test_ll_and_rl_in_the_projection_of_a_frontal_image_are_neither_ap_nor_pa(raw):
    found = read(raw)
    for name, shown in (("patient00004" + PICTURE, "LL"), ("patient00004_study2_view1_frontal", "RL")):
        assert row(found, name)["view"] == "" and fact(found, name, "projection") == shown


def test_the_test_table_has_no_sex_age_or_view_and_the_file_name_tells_the_view(raw):
    found = read(raw, views="all")
    one = row(found, "patient64741" + PICTURE)
    assert one["sex"] == one["view"] == "" and np.isnan(one["age_years"]) and one["split_hint"] == "test"
    assert row(found, "patient64741_study1_view2_lateral")["view"] == "LATERAL"


def test_valid_and_test_labels_are_radiologists_and_have_no_blanks(raw):
    found = read(raw)
    for part in ("val", "test"):
        of = (found.rows["split_hint"] == part).to_numpy()
        assert set(np.unique(found.evidence[of])) == {POSITIVE, NEGATIVE}
        assert set(found.facts["labeller"][of]) == {"radiologists on the image"}
    assert set(found.facts["labeller"][found.rows["split_hint"] == "train"]) == {
        "CheXpert labeller on the report"
    }


def test_all_parts_come_together_with_the_official_part_as_a_hint(raw):
    assert read(raw).rows["split_hint"].value_counts().to_dict() == {"train": 6, "val": 2, "test": 2}


def test_one_part_can_be_asked_for(raw):
    found = read(raw, parts="val, test")
    assert set(found.rows["split_hint"]) == {"val", "test"}
    assert sum("option parts" in reason for _, reason in found.quarantine) == 7
    with pytest.raises(BadInput, match="'valid'; expected all"):
        read(raw, parts="valid")


def test_batch_folders_of_the_aimi_layout_are_searched(raw):
    top = raw / "chexpertchestxrays-u20210408"
    first, second, third = (
        top / f"CheXpert-v1.0 batch {name}" for name in ("1 (validate & csv)", "2 (train 1)", "3 (train 2)")
    )
    first.mkdir(parents=True)
    for name in ("train.csv", "valid.csv"):
        (raw / make.TOP / name).rename(first / name)
    shutil.copytree(raw / make.TOP / "valid", first / "valid")
    for k, patient in enumerate(sorted((raw / make.TOP / "train").iterdir())):
        shutil.copytree(patient, (second, third)[k % 2] / patient.name)
    shutil.rmtree(raw / make.TOP)
    found = read(raw)
    assert found.rows["split_hint"].value_counts().to_dict() == {"train": 6, "val": 2}
    assert len({name.split("/")[1] for name in found.rows["source_file"]}) == 3


def test_the_part_is_known_from_the_patients_number_where_no_path_or_name_says_it(raw):
    path = raw / make.TOP / "train.csv"
    lines = path.read_text().replace(f"{make.TOP}/train/", "").splitlines()
    valid = (raw / make.TOP / "valid.csv").read_text().replace(f"{make.TOP}/valid/", "").splitlines()
    (raw / make.TOP / "all.csv").write_text("\n".join([*lines, *valid[1:]]) + "\n")
    path.unlink()
    (raw / make.TOP / "valid.csv").unlink()
    assert read(raw).rows["split_hint"].value_counts().to_dict() == {"train": 6, "val": 2, "test": 2}


def test_a_folder_named_val_and_tables_named_val_labels_are_the_valid_part(raw):
    (raw / make.TOP / "valid").rename(raw / make.TOP / "val")
    (raw / make.TOP / "valid.csv").rename(raw / make.TOP / "val_labels.csv")
    change(raw / make.TOP / "val_labels.csv", f"{make.TOP}/valid/", "CheXpert/val/")
    assert (read(raw).rows["split_hint"] == "val").sum() == 2


def test_paths_match_from_the_patient_on_whatever_stands_before_and_whatever_the_suffix(raw):
    change(raw / make.TOP / "train.csv", f"{make.TOP}/train/", "somewhere\\else\\CheXpert-v1.0\\train\\")
    for path in (raw / make.TOP / "train").rglob("*.jpg"):
        path.rename(path.with_suffix(".PNG"))
    found = read(raw)
    assert (found.rows["split_hint"] == "train").sum() == 6
    assert row(found, "patient00001" + PICTURE)["source_file"].endswith("view1_frontal.PNG")


def test_headers_with_renamed_slashes_and_another_case_are_understood(raw):
    change(raw / make.TOP / "train.csv", make.HEADER, make.HEADER.replace("/", "_").upper())
    assert row(read(raw), "patient00001" + PICTURE)["view"] == "AP"


def test_a_gzipped_table_is_read(raw):
    path = raw / make.TOP / "train.csv"
    path.with_suffix(".csv.gz").write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()
    assert (read(raw).rows["split_hint"] == "train").sum() == 6


def test_where_only_a_part_of_the_images_lies_that_part_is_read(raw):
    shutil.rmtree(raw / make.TOP / "train" / "patient00004")
    shutil.rmtree(raw / make.TOP / "valid")
    found = read(raw)
    assert len(found.rows) == 6
    absent = [name for name, reason in found.quarantine if "no such image" in reason]
    assert len(absent) == 5 and f"{make.TOP}/train/patient00005/study1/view1_frontal.jpg" in absent


def test_an_image_that_no_table_names_is_said(raw):
    (raw / make.TOP / "test_labels.csv").unlink()
    nameless = [name for name, reason in read(raw).quarantine if reason == "no table names this image"]
    assert len(nameless) == 3 and all("/test/" in name for name in nameless)


def test_a_cell_that_is_no_code_leaves_its_row_out_and_is_quoted(raw):
    reasons = dict(read(raw).quarantine)
    assert "Consolidation is '2.0'" in reasons[f"{make.TOP}/train/patient00006/study1/view1_frontal.jpg"]


def test_a_second_row_or_a_second_copy_of_an_image_is_said(raw):
    copies = raw / "CheXlocalize" / "CheXpert"
    shutil.copytree(raw / make.TOP / "valid", copies / "val")
    lines = (raw / make.TOP / "valid.csv").read_text().splitlines()
    (copies / "val_labels.csv").write_text("\n".join(line.replace(f"{make.TOP}/", "") for line in lines))
    found = read(raw)
    assert row(found, "patient64541" + PICTURE)["source_file"].startswith(make.TOP)
    assert row(found, "patient64541" + PICTURE)["sex"] == "M"
    reasons = [reason for _, reason in found.quarantine]
    assert sum(reason.startswith("a second row") for reason in reasons) == 2
    assert sum(reason.startswith("a second copy") for reason in reasons) == 2


def test_the_table_that_says_more_counts_where_two_have_one_image(raw):
    lines = (raw / make.TOP / "valid.csv").read_text().splitlines()
    bare = [",".join(line.split(",")[:1] + line.split(",")[5:]) for line in lines]
    (raw / "a_valid.csv").write_text("\n".join(bare) + "\n")  # higher up, without sex
    assert row(read(raw), "patient64541" + PICTURE)["sex"] == "M"


def test_chexbert_labels_can_take_the_place_of_the_train_tables(raw):
    path = raw / make.TOP / "train_cheXbert.csv"
    path.write_text((raw / make.TOP / "train.csv").read_text().replace(",-1.0,", ",1.0,"))
    assert said(read(raw), "patient00002" + PICTURE)["Cardiomegaly"] == UNCERTAIN
    found = read(raw, labels="chexbert")
    assert said(found, "patient00002" + PICTURE)["Cardiomegaly"] == POSITIVE
    assert fact(found, "patient00002" + PICTURE, "labeller") == "CheXbert on the report"
    assert (found.rows["split_hint"] == "val").sum() == 2
    with pytest.raises(MissingInput, match=r"train_visualchexbert\.csv"):
        read(raw, labels="visualchexbert")


def test_a_label_that_a_table_lacks_is_not_annotated_in_its_rows(raw):
    path = raw / make.TOP / "valid.csv"
    lines = [line.split(",") for line in path.read_text().splitlines()]
    path.write_text("\n".join(",".join(line[:-1]) for line in lines) + "\n")
    found = read(raw)
    assert said(found, "patient64541" + PICTURE)["Support Devices"] == NEVER
    assert said(found, "patient64741" + PICTURE)["Support Devices"] == POSITIVE


def test_airspace_opacity_is_lung_opacity(raw):
    change(raw / make.TOP / "test_labels.csv", "Lung Opacity", "Airspace Opacity")
    found = read(raw)
    assert said(found, "patient64741" + PICTURE)["Lung Opacity"] == POSITIVE
    assert {"Airspace Opacity", "Lung Opacity"} <= {line["native"] for line in found.header.ledger}


def test_an_edited_label_map_is_used(raw, tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text(
        "dataset,native,label,says\nchexpert,Edema,Consolidation,same\nchexpert,No Finding,No Finding,same\n"
    )
    found = read(raw, map=str(path))
    assert found.header.labels == ("No Finding", "Consolidation")
    assert said(found, "patient00002" + PICTURE)["Consolidation"] == POSITIVE


# CheXlocalize


def test_outlines_in_the_folder_are_found_and_drawn_down_the_columns(raw):
    found = read(raw)
    assert len(found.mask_names) == 10 and "Lung Opacity" in found.mask_names
    drawn = SITE.masks(raw, row(found, "patient64541" + PICTURE)["source_file"], 24, {})
    # Full size is 96 x 120; rows 30-60, columns 10-40 become rows 7.5-15, columns 2-8.
    ys, xs = np.nonzero(drawn["Cardiomegaly"])
    assert (ys.min(), ys.max(), xs.min(), xs.max()) == (7, 14, 2, 7)
    assert not drawn["Edema"].any()


def test_airspace_opacity_of_the_outlines_is_lung_opacity(raw):
    drawn = SITE.masks(raw, f"{make.TOP}/valid/patient64541/study1/view1_frontal.jpg", 24, {})
    assert drawn["Lung Opacity"].any() and "Airspace Opacity" not in drawn
    assert set(drawn) == set(read(raw).mask_names)


def test_an_image_that_the_outlines_do_not_name_is_all_zero_in_an_outlined_part_and_unknown_elsewhere(raw):
    found = read(raw)
    drawn = SITE.masks(raw, row(found, "patient64542" + PICTURE)["source_file"], 24, {})
    assert len(drawn) == 10 and not any(mask.any() for mask in drawn.values())
    assert fact(found, "patient64542" + PICTURE, "localised") == "yes"
    assert fact(found, "patient00001" + PICTURE, "localised") == "no"
    (raw / "CheXlocalize" / "gt_segmentations_val.json").unlink()
    found = read(raw)
    assert fact(found, "patient64542" + PICTURE, "localised") == "no"
    assert fact(found, "patient64742" + PICTURE, "localised") == "yes"


def test_outlines_beside_the_folder_are_found_and_named_ones_count(raw):
    outlines = raw / "CheXlocalize"
    outlines.rename(raw.parent / "chexlocalize-v1")
    assert "localised" in read(raw).facts
    (raw.parent / "chexlocalize-v1").rename(raw.parent / "elsewhere")
    assert (
        "localised" not in read(raw).facts
        and SITE.masks(raw, "x/patient64541/study1/view1_frontal.jpg", 24, {}) == {}
    )
    found = read(raw, chexlocalize=str(raw.parent / "elsewhere"))
    assert (found.facts["localised"] == "yes").sum() == 4
    with pytest.raises(MissingInput, match="holds no gt_segmentations_val"):
        read(raw, chexlocalize=str(raw.parent / "nowhere"))


def test_outlines_can_be_left_out(raw):
    found = read(raw, chexlocalize="no")
    assert found.mask_names == () and "localised" not in found.facts


def test_a_train_part_alone_gets_no_masks(raw):
    found = read(raw, parts="train")
    assert found.mask_names == () and set(found.facts["localised"]) == {"no"}


def test_pickled_heatmaps_are_never_opened(raw, monkeypatch):
    opened = []
    before = Path.open
    monkeypatch.setattr(
        Path, "open", lambda self, *a, **k: (opened.append(self.name), before(self, *a, **k))[1]
    )
    found = read(raw)
    SITE.masks(raw, found.rows["source_file"][0], 24, {})
    assert not any(name.endswith(".pkl") for name in opened)


def test_the_outlines_are_parsed_once_a_process(raw, monkeypatch):
    read(raw)
    monkeypatch.setattr(chexlocalize, "read", lambda folder: pytest.fail("parsed again"))
    for _ in range(3):
        SITE.masks(raw, f"{make.TOP}/valid/patient64541/study1/view1_frontal.jpg", 24, {})


def test_damaged_outlines_are_a_sentence(raw):
    path = raw / "CheXlocalize" / "gt_segmentations_val.json"
    whole = path.read_text()
    for text in (whole[:-20], "[1, 2]", '{"a": 3}'):
        path.write_text(text)
        with pytest.raises(BadInput, match="gt_segmentations_val"):
            read(raw)
    broken = json.loads(whole)
    broken["patient64541" + PICTURE]["Cardiomegaly"]["counts"] = "T3"
    path.write_text(json.dumps(broken))
    read(raw)
    with pytest.raises(BadInput, match="Cardiomegaly of patient64541"):
        SITE.masks(raw, f"{make.TOP}/valid/patient64541/study1/view1_frontal.jpg", 24, {})


def test_masks_and_facts_come_through_the_workers_into_the_store(raw, lab):
    done = ingest.ingest(lab, "chexpert", raw, "stanford", px=24, workers=2)
    opened = store.read(done.path)
    at = {name: k for k, name in enumerate(opened.rows["image_id"])}
    outlined = at["patient64541" + PICTURE]
    assert opened.mask("Cardiomegaly", outlined).sum() == 8 * 6
    assert not opened.mask("Cardiomegaly", at["patient64741" + PICTURE]).any()
    assert opened.mask("Support Devices", at["patient64741" + PICTURE]).any()
    assert opened.facts["localised"].value_counts().to_dict() == {"no": 6, "yes": 4}
    assert opened.rows["width"][outlined] == 60  # the small copy; the outlines were drawn on 120


# Sentences


def test_a_colour_copy_becomes_grey(raw):
    path = raw / make.TOP / "train" / "patient00001" / "study1" / "view1_frontal.jpg"
    cv2.imwrite(str(path), np.full((48, 60, 3), (0, 0, 200), np.uint8))
    assert SITE.image(raw, path.relative_to(raw).as_posix()).shape == (48, 60)


def test_a_folder_without_tables_or_images_is_explained(raw, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(MissingInput, match="no table with Path and labels"):
        SITE.read(empty, "x", {})
    (empty / "train.csv").write_text((raw / make.TOP / "train.csv").read_text())
    with pytest.raises(MissingInput, match="none of them"):
        SITE.read(empty, "x", {})
    with pytest.raises(MissingInput, match="no folder"):
        SITE.read(tmp_path / "nothing", "x", {})


@pytest.mark.parametrize("damage", [b"", b"\x00\xff" * 40, b"Path,Edema\n", b'Path,Edema\n"a,b\n1,2\n'])
def test_a_damaged_table_is_a_sentence(raw, damage):
    for name in ("valid.csv", "test_labels.csv"):
        (raw / make.TOP / name).unlink()
    (raw / make.TOP / "train.csv").write_bytes(damage)
    with pytest.raises((BadInput, MissingInput)):
        read(raw)


def test_a_cut_off_gzip_is_a_sentence(raw):
    path = raw / make.TOP / "train.csv"
    packed = gzip.compress(path.read_bytes() * 50)
    for name, data in (("train.csv.gz", packed[: len(packed) // 2]), ("more.csv.gz", b"\x1f\x8bno gzip")):
        (raw / make.TOP / name).write_bytes(data)
        with pytest.raises(BadInput, match="fetch it again"):
            read(raw)
        (raw / make.TOP / name).unlink()


def test_an_unknown_option_value_is_explained(raw):
    for option in ({"views": "lateral"}, {"labels": "mine"}):
        with pytest.raises(BadInput, match="expected"):
            read(raw, **option)
