"""Fakes CheXphoto-v1.0: two devices and two synthetic kinds, one of them PNG though the table says JPEG, one in colour."""

import importlib.util
from pathlib import Path

import cv2
import numpy as np

spec = importlib.util.spec_from_file_location(
    "chexpert_make", Path(__file__).parent.parent / "chexpert" / "make.py"
)
chexpert = importlib.util.module_from_spec(spec)
spec.loader.exec_module(chexpert)

TOP = "CheXphoto-v1.0"
TRAIN = (
    ("natural/iphone/patient00001/study1/view1_frontal.jpg", "Female", "68", "Frontal", "AP", "1.0,,,,,,,,,,,,,"),
    ("natural/nokia/patient00001/study1/view1_frontal.jpg", "Female", "68", "Frontal", "AP", "1.0,,,,,,,,,,,,,"),
    ("natural/nokia/patient00002/study1/view1_frontal.jpg", "Male", "0", "Frontal", "PA", ",,-1.0,,,1.0,0.0,,1.0,1.0,,1.0,,"),
    ("natural/nokia/patient00002/study1/view2_lateral.jpg", "Male", "0", "Lateral", "", ",,-1.0,,,1.0,0.0,,1.0,1.0,,1.0,,"),
    ("synthetic/digital/patient00002/study2/view1_frontal.jpg", "Male", "90", "Frontal", "PA", ",,,1.0,1.0,,,1.0,,,1.0,,1.0,1.0"),
)  # fmt: skip
VALID = tuple(
    (f"{kind}/patient64541/study1/view1_frontal.{suffix}", "Male", "73", "Frontal", "AP",
     "0.0,1.0,1.0,1.0,0.0,0.0,0.0,0.0,0.0,0.0,1.0,0.0,0.0,1.0")
    for kind, suffix in (
        ("natural/oneplus", "jpg"), ("synthetic/photographic", "jpg"), ("synthetic/digital", "png"), ("natural/film", "jpg")
    )
)  # fmt: skip
COLOURED = "natural/iphone"
RENAMED = "synthetic/digital/patient00002"  # the table says .jpg, the file is .png


def fake_raw_folder(folder: Path) -> None:
    """Write two tables, one of them as a copy that renamed the slashes, and nine files."""
    top = folder / TOP
    renamed = chexpert.HEADER.replace("/", "_")
    for part, rows, header, at in (
        ("train", TRAIN, renamed, top / "train.csv"),
        ("valid", VALID, chexpert.HEADER, top / "valid" / "valid.csv"),
    ):
        for k, (path, *_) in enumerate(rows):
            file = top / part / path
            file = file.with_suffix(".png") if RENAMED in path else file
            chexpert.write_picture(file, k + 20)
            if COLOURED in path:
                colour = np.repeat(cv2.imread(str(file), cv2.IMREAD_GRAYSCALE)[:, :, None], 3, axis=2)
                colour[:, :, 0] //= 2
                cv2.imwrite(str(file), colour)
        at.parent.mkdir(parents=True, exist_ok=True)
        lines = [f"{TOP}/{part}/{path},{','.join(facts)}" for path, *facts in rows]
        at.write_text("\n".join([header, *lines]) + "\n")
