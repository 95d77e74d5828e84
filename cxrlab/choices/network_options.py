"""The networks' own options, in the words of a form.

In:    nothing.
Out:   frozen values whose fields draw a form.
Never: torch; which networks there are (choices/networks.py).
"""

from typing import Literal

from pydantic import Field

from cxrlab.spec.parts import ADVANCED, Frozen


class HierarchicalOptions(Frozen):
    """A gate and what lies behind it."""

    gate: str = Field(
        "small_cnn",  # what sees every image must be cheap, or it costs more than it saves
        title="Gate",
        description="The network that says normal or abnormal of every image.",
        json_schema_extra={"room": "networks"},
    )
    disease: str = Field(
        "vit_b16",
        title="Disease network",
        description="The network that names findings, of those images alone that the gate lets through; first weights are "
        "its own.",
        json_schema_extra={"room": "networks"},
    )
    rule: Literal["sensitivity", "specificity", "max-f1", "youden"] = Field(
        "sensitivity",
        title="Gate's threshold by",
        description="On home's validation rows. 'sensitivity' and 'specificity': the highest, or the lowest, threshold that "
        "reaches the share below.",
    )
    aim: float = Field(
        0.95,  # one abnormal image in twenty held back at home; no sweep of ours stands behind it
        gt=0,
        lt=1,
        title="Share to reach",
        description="The sensitivity or specificity aimed at; other rules have none.",
        json_schema_extra=ADVANCED,
    )
