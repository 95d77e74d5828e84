"""Fakes the RSNA challenge: one row a box in both tables, an age of 148, a test image, and the mapping to NIH on demand."""

import json
from pathlib import Path

from tests import fake_dicom

IMAGES = {  # image → class, target, boxes, sex, age, view
    "0004-aa": ("Lung Opacity", 1, [(8, 16, 12, 24), (30, 10, 16, 30)], "F", "51", "PA"),
    "0004-ab": ("Normal", 0, [], "M", "148", "PA"),
    "0004-ac": ("No Lung Opacity / Not Normal", 0, [], "M", "40", "AP"),
    "0004-ad": ("Lung Opacity", 1, [(1, 2, 10, 10)], "F", "155", "AP"),
    "0004-ae": ("Normal", 0, [], "F", "23", "PA"),
    "0004-af": ("No Lung Opacity / Not Normal", 0, [], "F", "24", "AP"),
    "0004-ba": ("Lung Opacity", 1, [(4, 4, 8, 8)], "M", "60", "AP"),
    "0004-bb": ("Normal", 0, [], "M", "61", "PA"),
    "0004-bc": ("Normal", 0, [], "M", "62", "PA"),  # no such file
}
NIH = ("00000075_001.png", "00000075_004.png", "00012345_000.png", "00000001_000.png", "00030805_000.png",
       "00000002_000.png", "00000003_000.png", "00000004_000.png", "00000005_000.png")  # fmt: skip


def sop(n):
    return f"1.2.276.0.7230010.3.1.4.8323329.{n + 10}.1517875201.8508"


def fake_raw_folder(folder: Path) -> None:
    """Write nine table entries, eight of their images, one test image without labels."""
    boxes, classes = ["patientId,x,y,width,height,Target"], ["patientId,class"]
    for n, (image, (kind, target, drawn, sex, age, view)) in enumerate(IMAGES.items()):
        boxes += [f"{image},{x}.0,{y}.0,{w}.0,{h}.0,{target}" for x, y, w, h in drawn] or [
            f"{image},,,,,{target}"
        ]
        classes += [f"{image},{kind}"] * max(len(drawn), 1)
        if image != "0004-bc":
            fake_dicom.write(
                folder / "stage_2_train_images" / f"{image}.dcm", fake_dicom.picture(n, 8, (64, 64)), "jpeg",
                SOPInstanceUID=sop(n), PatientID=image, PatientSex=sex, PatientAge=age, ViewPosition=view, Modality="CR",
                BodyPartExamined="CHEST",
            )  # fmt: skip
    (folder / "stage_2_train_labels.csv").write_text("\n".join(boxes) + "\n")
    (folder / "stage_2_detailed_class_info.csv").write_text("\n".join(classes) + "\n")
    fake_dicom.write(folder / "stage_2_test_images" / "ffff-00.dcm", fake_dicom.picture(77, 8), "jpeg")


def mapping(folder: Path, key: str = "subset_img_id", n: int = len(IMAGES)) -> None:
    """Write the mapping of the first n images, about an image by its id or by its SOP instance."""
    lines = [
        {
            key: image if key == "subset_img_id" else sop(k),
            "StudyInstanceUID": f"1.2.{k}", "img_id": NIH[k], "orig_labels": ["Mass"], "follow_up": k,
        }
        for k, image in enumerate(list(IMAGES)[:n])
    ]  # fmt: skip
    (folder / "pneumonia-challenge-dataset-mappings_2018.json").write_text(json.dumps(lines))
