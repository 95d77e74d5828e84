"""Raw folders → our words: one plug-in a dataset. Importing this package fills `SITES`."""

from cxrlab.sites import covid, folder, kermany, medmnist, nih, phantom
from cxrlab.sites.base import SITES, Raw, Site

__all__ = ["SITES", "Raw", "Site", "covid", "folder", "kermany", "medmnist", "nih", "phantom"]
