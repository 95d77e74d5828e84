"""`python -m cxrlab.augment.preview`: a few images of a site, and what an augmentation makes of them.

In:    a lab, a site, an augmentation's name, an image side.
Out:   one .npz of bytes, so that a page can show it without loading torch; exit 2 with a sentence when it cannot be.
Never: crops and contrast of a run's images: they come before, and once for all; drawing.
"""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from cxrlab import files, inputs, store
from cxrlab.augment import AUGMENT
from cxrlab.errors import BadInput, CxrlabError, MissingInput
from cxrlab.paths import Lab

DRAWS = 3  # of each image
MOST = 64  # images


@dataclass(frozen=True)
class Preview:
    """What was drawn: rows (N,) int64 of the store, original (N, px, px) and changed (N, DRAWS, px, px) uint8."""

    rows: np.ndarray
    original: np.ndarray
    changed: np.ndarray


def draw(lab: Lab, site: str, name: str, image_px: int, n: int) -> Preview:
    """Change `n` images of a site, spread evenly over its rows, DRAWS times each; the same again for the same names.

    Raises:
        UnknownName: no such augmentation.
        MissingInput, BadStore: the site has no store, no image, or a damaged one.
        BadInput: a side or a number that no run could have.
    """
    change = AUGMENT[name]
    if not 28 <= image_px <= 2048 or not 1 <= n <= MOST:
        raise BadInput(
            f"{n} images of {image_px} px were asked for; expected 1 to {MOST} of 28 to 2048 px. Ask for other numbers."
        )
    path = lab.store(site)
    if not path.exists():
        raise MissingInput(f"no store at {path}; import the site on Sites or with `python -m cxrlab ingest`.")
    read = store.read(path)
    if not len(read):
        raise MissingInput(f"the store of {site} holds no images; ingest the site again.")
    rows = np.unique(np.linspace(0, len(read) - 1, min(n, len(read))).astype(np.int64))
    original = inputs.fit(read.images(rows), image_px)
    x = torch.from_numpy(original)[:, None].float() / 255
    generator = torch.Generator().manual_seed(int(files.digest_of(site, name)[:15], 16))
    drawn = [change(x, generator)[:, 0].mul(255).round().to(torch.uint8).numpy() for _ in range(DRAWS)]
    return Preview(rows, original, np.stack(drawn, axis=1))


def main(words: list[str] | None = None) -> int:
    """Write what `words` (default: the shell's) ask for; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m cxrlab.augment.preview", description="Images, augmented."
    )
    parser.add_argument("--lab", required=True, type=Path, help="lab folder")
    parser.add_argument("--site", required=True)
    parser.add_argument("--name", required=True, help="augmentation")
    parser.add_argument("--px", required=True, type=int, help="image side")
    parser.add_argument("--n", default=6, type=int, help="images")
    parser.add_argument("--out", required=True, type=Path, help=".npz to write")
    args = parser.parse_args(words)
    try:
        made = draw(Lab(args.lab), args.site, args.name, args.px, args.n)
        with files.whole(args.out) as part, part.open("wb") as opened:
            np.savez(opened, rows=made.rows, original=made.original, changed=made.changed)
    except CxrlabError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
