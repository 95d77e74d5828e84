"""What the tests of the label map share."""

from pathlib import Path

import cv2
import numpy as np


def kermany_folder(folder: Path) -> Path:
    """Write four normal and six pneumonia images of Guangzhou's kind, half of the latter viral."""
    rng = np.random.default_rng(0)
    names = [f"NORMAL/IM-{i:04d}-0001" for i in range(4)]
    names += [f"PNEUMONIA/person{i}_{'virus' if i % 2 else 'bacteria'}_{i}" for i in range(6)]
    for name in names:
        path = folder / "train" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), rng.integers(0, 255, (20, 24), np.uint8))
    return folder
