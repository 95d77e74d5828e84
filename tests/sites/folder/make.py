"""Fakes a hospital's own folder: images and a table that a spreadsheet wrote."""

from pathlib import Path

import cv2
import numpy as np

TABLE = (
    "\ufeffFile Name,Patient ID,Gender,Age,View,Split,Pneumonia,effusion seen,No Finding\n"
    "a/1.png,p1,F,61,PA,train,1,0,0\n"
    "a/2.png,p1,female,061Y,AP,train,1.0,,0\n"
    "b/1.png,p2,M,,lateral,validation,0,1,\n"
    "b/3.dcm,,x,200,,test,-1,0,0\n"
    "gone.png,p4,M,50,PA,test,0,0,1\n"
)


def fake_raw_folder(folder: Path) -> None:
    """Write a table of five rows, four of their images, and one image that no row names."""
    rng = np.random.default_rng(0)
    (folder / "labels.csv").write_text(TABLE, encoding="utf-8")
    for name in ("a/1.png", "a/2.png", "b/1.png", "b/3.png", "b/stray.png"):
        (folder / name).parent.mkdir(exist_ok=True)
        cv2.imwrite(str(folder / name), rng.integers(0, 60000, (50, 70)).astype(np.uint16))
