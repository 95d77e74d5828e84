"""Predictions → tidy tables and sentences for pages, the command line and exports.

In:    Predictions and threshold sets.
Out:   one table a question; the names below.
Never: streamlit, torch, h5py; formulas (they live in metrics/ and shift/).

Home's own numbers are always those of its test rows; an external site's are those of all its rows.
"""

from cxrlab.report.cuts import by_threshold, confusion, curves, groups, transfer
from cxrlab.report.errors_of_rebuilding import re_vs_performance, reconstruction
from cxrlab.report.gaps import gaps
from cxrlab.report.performance import judged, looks_untrained, performance
from cxrlab.report.words import estimate, headline, number

__all__ = [
    "by_threshold",
    "confusion",
    "curves",
    "estimate",
    "gaps",
    "groups",
    "headline",
    "judged",
    "looks_untrained",
    "number",
    "performance",
    "re_vs_performance",
    "reconstruction",
    "transfer",
]
