"""A run that another goes on from: what the form must say so that the two fit, set by one button.

In:    what the form says; the spec of the run that its field 'Start from' names.
Out:   a Mend where network, images or colours differ; the form's own widgets once it is pressed.
Never: whether they fit otherwise (learning.lineage says so).
"""

from dataclasses import dataclass, field
from typing import Any

import streamlit as st

from cxrlab import spec as specs
from cxrlab.choices import networks
from cxrlab.errors import CxrlabError
from cxrlab.learning import lineage
from cxrlab.ui import cached, forms

GROUPS = {"model": specs.ModelSpec, "view": specs.ViewSpec}
PREPARED = "preprocess"


@dataclass(frozen=True)
class Mend:
    """A button that makes a form fit: what it says, and what each widget is set to."""

    label: str
    differs: tuple[str, ...]  # what it will change, for people
    state: dict[str, Any] = field(default_factory=dict)  # key of a widget → value

    def carry_out(self) -> None:
        """Set the form's widgets."""
        st.session_state.update(self.state)


def mend(fields: dict[str, Any], key: str) -> Mend | None:
    """Return how the form that says `fields` is made to fit the run that it starts from.

    Args:
        fields: of a TrainSpec, not yet checked.
        key: prefix of the form's widgets.

    Returns:
        None where no run is named, where it fits, or where the run cannot be read: then the error says what to do.
    """
    run_id = fields.get("strategy", {}).get("start_from", "")
    if not run_id:
        return None
    try:
        known = cached.run_spec(run_id)
    except CxrlabError:
        return None
    if not isinstance(known, specs.NetworkSpec):
        return None
    state: dict[str, Any] = {}
    said = []
    for group, name in (*lineage.ALIKE, *([lineage.LATENT] if fields["task"] == "autoencoder" else [])):
        if name == "official_split" and not known.view.source:
            continue  # nobody knows what it was trained on
        was, now = getattr(getattr(known, group), name), _now(fields, group, name)
        if was != now:
            title = forms.label_of(name, GROUPS[group].model_fields[name])
            # How images are prepared has ten fields; its title says enough.
            said.append(
                title if name == PREPARED else f"{title}: {_worded(name, now)} → **{_worded(name, was)}**"
            )
            state |= _widgets(known, name, was, key)
    return Mend("Set these as in that run", tuple(said), state) if said else None


def _now(fields: dict[str, Any], group: str, name: str) -> Any:
    info = GROUPS[group].model_fields[name]
    now = fields[group].get(name, forms.default_of(info))
    return specs.PreprocessSpec(**now) if name == PREPARED and isinstance(now, dict) else now


def _worded(name: str, value: Any) -> str:
    if name == "name" and value in networks.CHOICES:
        return networks.CHOICES[value].title
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else str(value or "none")


def _widgets(known: specs.NetworkSpec, name: str, value: Any, key: str) -> dict[str, Any]:
    """Return widget → value that says `value` of a field, with a network's own options."""
    if name == PREPARED:
        return {f"{key}.{name}.{one}": said for one, said in value.model_dump(mode="json").items()}
    found = {f"{key}.{name}": value}
    if name == "name" and (choice := networks.CHOICES.get(value)):
        given = {one: forms.default_of(info) for one, info in choice.options.model_fields.items()}
        given |= known.model.options
        found |= {f"{key}.{name}.{value}.{one}": said for one, said in given.items()}
    return found
