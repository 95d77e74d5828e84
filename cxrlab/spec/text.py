"""A spec as canonical text, and the digest that names it.

In:    a spec.
Out:   JSON and SHA-256.
Never: what a field means.
"""

import hashlib
import json
from typing import Any

from pydantic import BaseModel


def dumps(spec: BaseModel) -> str:
    """Return the spec as canonical JSON: sorted keys, every default written out but those of ADDED fields."""
    return json.dumps(_plain(spec), sort_keys=True, separators=(",", ":"))


def _plain(spec: BaseModel) -> dict[str, Any]:
    """Return the fields as plain values, without ADDED ones that are at their default."""
    fields = spec.model_dump(mode="json")
    for name, known in type(spec).model_fields.items():
        value, extra = getattr(spec, name), known.json_schema_extra
        is_added = isinstance(extra, dict) and extra.get("added")
        if is_added and value == known.get_default(call_default_factory=True):
            del fields[name]
        elif isinstance(value, BaseModel):
            fields[name] = _plain(value)
    return fields


def digest(spec: BaseModel) -> str:
    """Return the SHA-256 of the canonical JSON, 64 hexadecimal digits."""
    return hashlib.sha256(dumps(spec).encode()).hexdigest()
