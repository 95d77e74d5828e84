"""What is done to every image of a site, and the name that this gives its variant.

In:    a run's ViewSpec, digests of home's stores.
Out:   Recipe: its key, its words.
Never: pixels, files of a lab.
"""

import json
from dataclasses import dataclass

from cxrlab import files
from cxrlab.spec import PreprocessSpec, ViewSpec

VERSION = 1  # of what images/preprocess.py and images/lungs.py give; a change there raises it
KEY_DIGITS = 12


@dataclass(frozen=True)
class Recipe:
    """What is done to every image of a site."""

    crop: str
    contrast: str
    shape: str
    homes: tuple[tuple[str, str], ...] = ()  # nyul: home site and digest of its store
    official_split: bool = False  # nyul: which rows of home are its training rows
    landmarks: tuple[float, ...] = ()  # nyul: of preprocess.mean_landmarks; () before they are fitted

    def key(self, digest: str) -> str:
        """Return the variant's key for the store of `digest`, KEY_DIGITS hexadecimal digits."""
        said = [VERSION, digest, self.crop, self.contrast, self.shape, self.homes, self.official_split]
        return files.digest_of(json.dumps(said))[:KEY_DIGITS]

    @property
    def words(self) -> str:
        """What is done, for a caption: "lungs crop, histogram as at nih"."""
        return words_of(
            PreprocessSpec(crop=self.crop, contrast=self.contrast, shape=self.shape),
            [site for site, _ in self.homes],
        )


def words_of(wanted: PreprocessSpec, homes: list[str] | tuple[str, ...] = ()) -> str:
    """Return what is done to the images, for a caption; "" when nothing is.

    >>> words_of(PreprocessSpec(crop="lungs", shape="letterbox"))
    'lungs crop, letterbox'
    """
    parts = {
        "centre": "centre crop",
        "lungs": "lungs crop",
        "letterbox": "letterbox",
        "clahe": "CLAHE",
        "nyul": "histogram as at " + (" + ".join(homes) or "home"),
    }
    done = (wanted.crop, wanted.shape, wanted.contrast)
    return ", ".join(parts[word] for word in done if word in parts)


def recipe_of(view: ViewSpec, homes: dict[str, str], landmarks: tuple[float, ...] = ()) -> Recipe | None:
    """Return what `view` asks to be done to images; None when they are used as they are stored.

    Args:
        view: of a run; of `preprocess`, only what is baked counts.
        homes: home site → digest of its store, of at least view.source.
        landmarks: as fitted before, of a checkpoint; () otherwise.
    """
    wanted = view.preprocess
    if (wanted.crop, wanted.contrast, wanted.shape) == ("none", "none", "stretch"):
        return None
    if wanted.contrast != "nyul":
        return Recipe(wanted.crop, wanted.contrast, wanted.shape)
    of = tuple((site, homes.get(site, "")) for site in view.source)
    return Recipe(wanted.crop, "nyul", wanted.shape, of, view.official_split, tuple(landmarks))
