"""An autoencoder's latents on home's own principal axes: a map on which sites can be looked at.

In:    latents of home and of other sites.
Out:   axes fitted on home alone, and a sample of projected images.
Never: labels, files, torch; a distance or a verdict (a map of two axes hides the others).
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from cxrlab.errors import BadInput


@dataclass(frozen=True)
class Axes:
    """Principal axes of one site.

    mean: (D,). components: (A, D), rows of length 1, by falling variance. shares: (A,) parts of the variance.
    """

    mean: np.ndarray
    components: np.ndarray
    shares: np.ndarray

    def project(self, latents: np.ndarray) -> np.ndarray:
        """Return (N, A) float64: where (N, D) latents lie on the axes."""
        return (np.asarray(latents, np.float64) - self.mean) @ self.components.T


def axes(home: np.ndarray, count: int = 2) -> Axes:
    """Fit principal axes.

    Each axis points so that its largest coefficient is positive: the same data give the same picture.

    Args:
        home: (N, D) latents; rows with a value that is not finite are left out.
        count: how many axes.

    Raises:
        BadInput: fewer rows than axes + 1, or no variance.
    """
    clean = np.asarray(home, np.float64)
    clean = clean[np.isfinite(clean).all(axis=1)]
    if len(clean) <= count:
        raise BadInput(
            f"{len(clean)} usable latents are too few for {count} axes; score more images at home, or use another run."
        )
    mean = clean.mean(axis=0)
    _, lengths, turned = np.linalg.svd(clean - mean, full_matrices=False)
    total = float((lengths**2).sum())
    if total == 0:
        raise BadInput(
            "all latents of home are equal: the autoencoder tells no image from another; train it longer."
        )
    components = turned[:count]
    signs = np.sign(components[np.arange(count), np.abs(components).argmax(axis=1)])
    return Axes(mean, components * signs[:, None], lengths[:count] ** 2 / total)


def chart(
    home: np.ndarray, sites: dict[str, np.ndarray], rng: np.random.Generator, most: int = 300
) -> tuple[pd.DataFrame, Axes]:
    """Project every site onto home's first two axes and keep at most `most` random images of each.

    Args:
        home: (N, D) latents that the axes are fitted on.
        sites: name → (M, D) latents to show, home among them or not.
        rng: draws the sample.
        most: images a site.

    Returns:
        site, index (into that site's array), x, y; and the axes.

    Raises:
        BadInput: see `axes`; or a site has latents of another width than home.
    """
    fitted = axes(home)
    parts = []
    for site, latents in sites.items():
        if latents.shape[1] != len(fitted.mean):
            raise BadInput(
                f"{site} has {latents.shape[1]} latent units and home {len(fitted.mean)}; score the site with home's run."
            )
        usable = np.flatnonzero(np.isfinite(latents).all(axis=1))
        kept = np.sort(rng.choice(usable, min(most, len(usable)), replace=False))
        x, y = fitted.project(latents[kept]).T if len(kept) else (np.empty(0), np.empty(0))
        parts.append(pd.DataFrame({"site": site, "index": kept, "x": x, "y": y}))
    return pd.concat(parts, ignore_index=True), fitted
