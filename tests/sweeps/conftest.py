"""The jobs' stub lab, for sweeps."""

from tests.jobs.kit import stub

__all__ = ["stub"]
