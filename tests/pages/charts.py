"""What a page's figures say, read from what the browser is sent."""

import json


def figure(app, key):
    """Return the Plotly figure that a page drew under `key`."""
    found = {one.proto.id: one.proto.spec for one in app.get("plotly_chart")}
    matching = [spec for name, spec in found.items() if name.endswith(key)]
    assert matching, f"no figure {key!r} among {list(found)}"
    return json.loads(matching[0])


def words_in(spec):
    """Return every text that a figure prints."""
    said = [t for trace in spec["data"] for t in (trace.get("text") or []) if isinstance(t, str)]
    return said + [a["text"] for a in spec["layout"].get("annotations", [])]
