"""Plotly figures, one module a page family; `base.show` puts one on a page."""
