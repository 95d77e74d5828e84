"""How images are changed in training: what a form asks.

In:    nothing.
Out:   CHOICES, a sentence an augmentation.
Never: torch; the changes themselves (augment/).
"""

from cxrlab.choices import Choice
from cxrlab.registry import Registry

CHOICES: Registry[Choice] = Registry("augmentation")

for _choice in (
    Choice("none", "None", "Images as they are."),
    Choice("light", "Light", "Shifts, rotations up to 10 degrees, zoom, exposure; no flips."),
    Choice("medium", "Medium", "As light, wider, with softer and sharper edges and some noise; no flips."),
    Choice(
        "strong",
        "Strong",
        "As medium, wider, with a mild bending and up to two small boxes of even grey; no flips.",
        warn="A box may hide a small nodule whose label stays.",
    ),
    Choice(
        "contrast",
        "Contrastive views",
        "Rotations up to 10 degrees, a mild crop, strong exposure, for learning from pairs of views (MoCo); no blur, "
        "no boxes, no flips. After Sowrirajan 2021, arXiv:2010.05352.",
    ),
    Choice(
        "light-flip",
        "Light with mirror images",
        "As light, and every other image is mirrored: left and right are swapped, the heart with them.",
        warn="A mirrored radiograph shows an anatomy that almost nobody has, and findings change sides.",
    ),
):
    CHOICES.add(_choice.name)(_choice)
