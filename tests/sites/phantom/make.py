"""Fakes a raw folder of the site plug-in `phantom`."""

from pathlib import Path

from cxrlab import phantom


def fake_raw_folder(folder: Path) -> None:
    """Write a folder of 12 phantom images."""
    phantom.write_raw(folder, "north", 12, seed=3)
