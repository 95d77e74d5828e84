"""Benchmarks: our speed beside a peer's, measured in the same run."""
