"""Scores of a model that we do not have: a vendor's product, a published model, a colleague's notebook.

In:    a table of scores and truths, one row an image.
Out:   a run whose predictions every number page can read.
Never: networks, streamlit; a guess about a column that two readings fit.
"""

from cxrlab.foreign.importer import Imported, import_scores, preview
from cxrlab.foreign.truths import OtherTruth

__all__ = ["Imported", "OtherTruth", "import_scores", "preview"]
