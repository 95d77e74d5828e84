"""Made-up hospitals, read like any other.

In:    a folder with `phantom.json`: {"recipe", "n", "seed"}.
Out:   rows and evidence of n phantom radiographs; each picture is drawn when it is asked for.
Never: how a picture is drawn; targets.
"""

from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from cxrlab import files, phantom
from cxrlab.errors import BadInput, MissingInput
from cxrlab.labels import SHARED, Evidence
from cxrlab.phantom import population
from cxrlab.sites.base import SITES, Raw, Site, need_folder
from cxrlab.store import ROW_COLUMNS, Header

FILE = "phantom.json"
MOST = 1_000_000  # images; beyond it the file is a mistake, not a hospital


class Phantom(Site):
    """Phantom radiographs of one recipe."""

    name: ClassVar[str] = "phantom"
    title: ClassVar[str] = "Phantom (synthetic)"
    licence: ClassVar[str] = "Apache-2.0, as this program; nobody's picture"
    source: ClassVar[str] = "cxrlab.phantom: drawn by this program, synthetic"
    synthetic: ClassVar[bool] = True
    expects: ClassVar[str] = 'phantom.json: {"recipe": "north", "n": 100, "seed": 0}'

    def read(self, raw: Path, site: str, options: dict[str, Any]) -> Raw:
        """Return the rows of every image that `phantom.json` asks for; no picture is drawn here."""
        need_folder(raw, self)
        recipe, n, seed = _order(raw)
        stories = [population.visit(recipe, seed, i) for i in range(n)]
        rows = pd.DataFrame([story.facts for story in stories])
        rows["image_id"] = [f"{recipe.name}-{i:06d}" for i in range(n)]
        rows["source_file"] = [f"phantom/{i:06d}" for i in range(n)]
        rows["split_hint"] = ""
        rows["width"] = rows["height"] = phantom.SIZE
        evidence = np.array([[story.evidence[label] for label in SHARED] for story in stories], np.int8)
        header = Header(
            site=site,
            title=f"{self.title}: {recipe.title}",
            source=f"{self.source}; recipe {recipe.name}, seed {seed}",
            labels=SHARED,
            synthetic=True,
            ledger=tuple(_ledger(evidence)),
        )
        names = tuple(self.masks(raw, "phantom/0", 16, options))
        return Raw(header, rows[list(ROW_COLUMNS)], evidence, mask_names=names)

    def image(self, raw: Path, source_file: str) -> np.ndarray:
        """Return one phantom radiograph, (224, 224) uint8."""
        recipe, n, seed = _order(raw)
        return _drawn(recipe.name, _index(source_file, n), seed).image

    def masks(self, raw: Path, source_file: str, px: int, options: dict[str, Any]) -> dict[str, np.ndarray]:
        """Return the masks of the lungs, the heart and every finding; that of an absent finding is empty."""
        recipe, n, seed = _order(raw)
        return phantom.resize(_drawn(recipe.name, _index(source_file, n), seed), px).masks


@lru_cache(maxsize=4)
def _drawn(recipe: str, i: int, seed: int) -> phantom.Drawn:
    # An ingest asks for a picture and then for its masks; drawing is what costs.
    return phantom.draw(recipe, i, seed=seed)


def _order(raw: Path) -> tuple[phantom.Recipe, int, int]:
    path = raw / FILE
    if not path.exists():
        raise MissingInput(f"no {FILE} in {raw}; phantom expects {Phantom.expects}.")
    return _read_order(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=8)
def _read_order(path: Path, mtime_ns: int) -> tuple[phantom.Recipe, int, int]:  # part of the key
    order = files.read_json(path)
    if not isinstance(order, dict) or set(order) != {"recipe", "n", "seed"}:
        held = sorted(order) if isinstance(order, dict) else type(order).__name__
        raise BadInput(f"{path} holds {held}; expected {Phantom.expects}.")
    recipe, n, seed = order["recipe"], order["n"], order["seed"]
    if not isinstance(recipe, str) or recipe not in phantom.RECIPES:
        raise BadInput(f"{path} asks for the recipe {recipe!r}; known: {', '.join(phantom.RECIPES)}.")
    if type(n) is not int or not 1 <= n <= MOST:
        raise BadInput(f"{path} asks for n = {n!r} images; expected a whole number from 1 to {MOST:,}.")
    if type(seed) is not int or seed < 0:
        raise BadInput(f"{path} gives the seed {seed!r}; expected a whole number from 0 up.")
    return phantom.RECIPES[recipe], n, seed


def _index(source_file: str, n: int) -> int:
    number = source_file.removeprefix("phantom/")
    if not number.isdecimal() or int(number) >= n:
        raise BadInput(
            f"{source_file!r} is no image of this phantom folder; it has phantom/0 to phantom/{n - 1}."
        )
    return int(number)


def _ledger(evidence: np.ndarray) -> list[dict[str, Any]]:
    return [
        {
            "native": label,
            "label": label,
            "images": int((evidence[:, k] == Evidence.POSITIVE).sum()),
            "note": "drawn",
        }
        for k, label in enumerate(SHARED)
        if (evidence[:, k] != Evidence.NOT_ANNOTATED).any()
    ]


SITES.add("phantom")(Phantom())
