"""Fakes ChestX-ray14 with its own header, one RGBA file, one cut-off file and a missing one."""

from pathlib import Path

import cv2
import numpy as np

HEADER = (
    "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,"
    "OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y]"
)
ROWS = (  # image, labels, patient, age, sex, view
    ("00000001_000.png", "Cardiomegaly|Emphysema", 1, "58", "M", "PA"),
    ("00000001_001.png", "No Finding", 1, "58", "M", "AP"),
    ("00000002_000.png", "Mass|Pleural_Thickening", 2, "81", "F", "PA"),
    ("00000003_000.png", "Effusion|Nodule|Hernia", 3, "155", "F", "PA"),
    ("00000004_000.png", "Pneumonia", 4, "0", "M", "AP"),
    ("00000005_000.png", "Infiltration", 5, "40", "F", "PA"),  # cut off
    ("00000006_000.png", "No Finding", 6, "41", "F", "PA"),  # not there
)
BOXES = (
    "Image Index,Finding Label,Bbox [x,y,w,h],,,\n00000001_000.png,Cardiomegaly,256.0,512.0,128.0,64.0,,,\n"
)
BOXES += "00000005_000.png,Infiltrate,1,2,3,4,,,\n00009999_000.png,Mass,1,2,3,4,,,\n"


def fake_raw_folder(folder: Path) -> None:
    """Write seven table rows, six files in Kaggle's folders, boxes and the split lists."""
    rng = np.random.default_rng(0)
    lines = [
        f"{name},{said},0,{who},{age},{sex},{view},2682,2749,0.143,0.143"
        for name, said, who, age, sex, view in ROWS
    ]
    (folder / "Data_Entry_2017_v2020.csv").write_text("\n".join([HEADER, *lines]) + "\n")
    (folder / "BBox_List_2017.csv").write_text(BOXES)
    (folder / "train_val_list.txt").write_text(
        "00000001_000.png\n00000001_001.png\n00000004_000.png\n00000005_000.png\n"
    )
    (folder / "test_list.txt").write_text("00000002_000.png\n00000003_000.png\n00000006_000.png\n")
    first, second = folder / "images_001" / "images", folder / "images_002" / "images"
    first.mkdir(parents=True)
    second.mkdir(parents=True)
    cv2.imwrite(str(first / "00000001_000.png"), rng.integers(0, 255, (64, 64), np.uint8))
    cv2.imwrite(str(first / "00000001_001.png"), rng.integers(0, 255, (64, 64), np.uint8))
    cv2.imwrite(
        str(first / "00000002_000.jpg"), rng.integers(0, 255, (64, 64), np.uint8)
    )  # the table says .png
    cv2.imwrite(str(second / "00000003_000.png"), rng.integers(0, 255, (64, 64, 4), np.uint8))
    cv2.imwrite(str(second / "00000004_000.png"), rng.integers(0, 255, (64, 64), np.uint8))
    whole = cv2.imencode(".png", rng.integers(0, 255, (64, 64), np.uint8))[1].tobytes()
    (second / "00000005_000.png").write_bytes(whole[: len(whole) // 2])
