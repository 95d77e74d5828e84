"""The command line's verbs, one module a room; each registers its parsers with `add`.

In:    words typed in a shell.
Out:   which module knows a verb, without importing any.
Never: work of its own.
"""

# Verb → the module of this package that registers it, so that `runs` need not load what `ingest` needs.
VERBS: dict[str, str] = {
    "demo": "demo",
    "fetch": "fetch",
    "ingest": "data",
    "plant": "plant",
    "sites": "data",
    "labels": "labels",
    "leaks": "leaks",
    "run": "runs",
    "score": "runs",
    "study": "runs",
    "sweep": "sweep",
    "runs": "runs",
    "import-scores": "scores",
    "import-checkpoint": "checkpoints",
    "variants": "variants",
    "hierarchy": "hierarchy",
    "bench": "house",
    "doctor": "house",
}
