"""Fakes PneumoniaMNIST: three parts in one archive."""

from pathlib import Path

import numpy as np

PARTS = {"train": 8, "val": 3, "test": 4}


def fake_raw_folder(folder: Path) -> None:
    """Write `pneumoniamnist.npz` with 15 images."""
    write_set(folder / "pneumoniamnist.npz", 1)


def write_set(path: Path, n_labels: int, side: int = 28) -> None:
    rng = np.random.default_rng(0)
    arrays = {}
    for part, n in PARTS.items():
        arrays[f"{part}_images"] = rng.integers(0, 255, (n, side, side), np.uint8)
        arrays[f"{part}_labels"] = (np.arange(n * n_labels).reshape(n, n_labels) % 2).astype(np.uint8)
    np.savez_compressed(path, **arrays)
