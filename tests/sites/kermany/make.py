"""Fakes Kaggle's `chest_xray` archive as it unpacks: nested twice, with the Mac's shadow files."""

from pathlib import Path

import cv2
import numpy as np

NORMAL = ("IM-0115-0001", "IM-0115-0002", "NORMAL2-IM-1427-0001")
PNEUMONIA = ("person1_bacteria_1", "person1_virus_6", "person2_bacteria_3")


def fake_raw_folder(folder: Path) -> None:
    """Write 13 images; person1 of train and person1 of test are two children."""
    rng = np.random.default_rng(0)
    inner = folder / "chest_xray" / "chest_xray"
    for part, normal, sick in (
        ("train", NORMAL, PNEUMONIA),
        ("val", NORMAL[:0], ("person1946_bacteria_4874",)),
        ("test", ("IM-0001-0001",), ("person1_virus_7", "person1_virus_8", "BACTERIA-1135262-0001")),
    ):
        for kind, names in (("NORMAL", normal), ("PNEUMONIA", sick)):
            for name in names:
                write_noise(inner / part / kind / f"{name}.jpeg", rng)
    write_noise(inner / "train" / "PNEUMONIA" / "nobody.jpeg", rng)  # the name tells no patient
    (folder / "chest_xray" / "train" / "NORMAL").mkdir(parents=True)
    for path in (inner / "train" / "NORMAL").iterdir():  # everything lies in the archive twice
        (folder / "chest_xray" / "train" / "NORMAL" / path.name).write_bytes(path.read_bytes())
    shadow = folder / "__MACOSX" / "chest_xray" / "train" / "NORMAL" / "._IM-0115-0001.jpeg"
    shadow.parent.mkdir(parents=True)
    shadow.write_bytes(b"Mac OS X")
    (inner / "train" / ".DS_Store").write_bytes(b"Bud1")


def write_noise(path: Path, rng: np.random.Generator) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), rng.integers(0, 255, (60, 80), np.uint8))
