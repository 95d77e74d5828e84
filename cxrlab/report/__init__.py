"""Predictions → tidy tables and sentences for pages, the command line and exports.

In:    Predictions and threshold sets.
Out:   one table a question; the names below.
Never: streamlit, torch, h5py; formulas (they live in metrics/ and shift/).

Home's own numbers are always those of its test rows; an external site's are those of all its rows.
"""

from cxrlab.report.bands import pr_band, roc_band
from cxrlab.report.calibration import calibration, decision_curve, reliability, worth
from cxrlab.report.comparison import compare_panels, compare_runs, panel, rank_runs
from cxrlab.report.cuts import by_threshold, changed, confusion, curves, groups, transfer
from cxrlab.report.errors_of_rebuilding import re_vs_performance, reconstruction
from cxrlab.report.gaps import gaps
from cxrlab.report.gate import as_gate
from cxrlab.report.gating import apart, cut_gate, jointly, saved
from cxrlab.report.hierarchy import at_one_point, says
from cxrlab.report.label_noise import label_noise, truth_of
from cxrlab.report.losses import decomposition, operating_point, standardised
from cxrlab.report.matrix import condense, efficiency_vs_gap, seed_groups, seeds, train_test_matrix
from cxrlab.report.mistakes import co_errors
from cxrlab.report.performance import judged, looks_untrained, performance
from cxrlab.report.rows import is_home, together
from cxrlab.report.subgroups import properties, subgroups
from cxrlab.report.words import estimate, headline, number

__all__ = [
    "apart",
    "as_gate",
    "at_one_point",
    "by_threshold",
    "calibration",
    "changed",
    "co_errors",
    "compare_panels",
    "compare_runs",
    "condense",
    "confusion",
    "curves",
    "cut_gate",
    "decision_curve",
    "decomposition",
    "efficiency_vs_gap",
    "estimate",
    "gaps",
    "groups",
    "headline",
    "is_home",
    "jointly",
    "judged",
    "label_noise",
    "looks_untrained",
    "number",
    "operating_point",
    "panel",
    "performance",
    "pr_band",
    "properties",
    "rank_runs",
    "re_vs_performance",
    "reconstruction",
    "reliability",
    "roc_band",
    "saved",
    "says",
    "seed_groups",
    "seeds",
    "standardised",
    "subgroups",
    "together",
    "train_test_matrix",
    "transfer",
    "truth_of",
    "worth",
]
