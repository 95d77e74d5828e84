"""Fakes the COVID-19 Radiography Database: four folders with images/ and masks/, the lists beside them, a Mac's shadow."""

from pathlib import Path

import cv2
import numpy as np

TOP = "COVID-19_Radiography_Dataset"
CLASSES = ("COVID", "Lung_Opacity", "Normal", "Viral Pneumonia")


def fake_raw_folder(folder: Path) -> None:
    """Write three images a class of 60 pixels, masks of 40 for all but the last one of each class."""
    for k, kind in enumerate(CLASSES):
        for i in range(1, 4):
            write(folder / TOP / kind / "images" / f"{kind}-{i}.png", k, i)
            if i < 3:
                mask = np.zeros((40, 40, 3), np.uint8)
                mask[10:30, 5:15], mask[10:30, 25:35] = 255, 255
                (folder / TOP / kind / "masks").mkdir(exist_ok=True)
                cv2.imwrite(str(folder / TOP / kind / "masks" / f"{kind}-{i}.png"), mask)
        (folder / TOP / f"{kind}.metadata.xlsx").write_bytes(b"PK\x03\x04")
    write(folder / TOP / "stray.png", 1, 1)
    (folder / "__MACOSX" / "COVID" / "images").mkdir(parents=True)
    (folder / "__MACOSX" / "COVID" / "images" / "._COVID-1.png").write_bytes(b"Mac OS X")


def write(path: Path, k: int, i: int) -> None:
    rng = np.random.default_rng(10 * k + i)
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = 90 + 80 * np.cos(np.arange(60) / (5 + k)) + rng.normal(0, 5, (60, 60))
    cv2.imwrite(str(path), np.clip(picture, 0, 255).astype(np.uint8))
