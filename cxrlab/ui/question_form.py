"""Study presets as cards: a question, what it takes, and which sites of this lab play its roles.

In:    the lab's sites; files of presets_of_studies.
Out:   a Wish that holds the study's runs.
Never: values of a study: they stand in its file.
"""

import shlex
from collections.abc import Sequence

import streamlit as st

from cxrlab import spec as specs
from cxrlab.errors import CxrlabError
from cxrlab.paths import Lab
from cxrlab.sweeps import presets, values
from cxrlab.sweeps.presets import Preset
from cxrlab.ui import newcomers, sweep_form, words
from cxrlab.ui.will_run import Wish

COLUMNS = 3
CHOSEN = "question"  # in the URL
MINI, FULL = "In miniature", "In full"


def draw(sites: list[str]) -> Wish:
    """Draw the cards and the chosen study's form; return what they say."""
    known = [presets.read(name) for name in presets.names()]
    name = st.query_params.get(CHOSEN, known[0].name)
    chosen = next((one for one in known if one.name == name), known[0])
    for at in range(0, len(known), COLUMNS):
        for one, column in zip(known[at : at + COLUMNS], st.columns(COLUMNS), strict=False):
            with column:
                _card(one, is_chosen=one is chosen)
    return _form(chosen, sites)


def _card(one: Preset, *, is_chosen: bool) -> None:
    with st.container(border=True, height="stretch", vertical_alignment="distribute", key=f"card-{one.name}"):
        with st.container():
            st.markdown(f"**{one.title}**")
            st.caption(one.question)
        with st.container(gap="small"):
            st.caption(
                f"{words.count(presets.count(one), 'run')}, {one.needs.gpu_hours:g} GPU hours",
                help="Of the full study, roughly, on one GPU of a data centre. In miniature: minutes on a laptop.",
            )
            st.button(
                "Chosen" if is_chosen else "Choose",
                key=f"choose-{one.name}",
                type="primary" if is_chosen else "secondary",
                on_click=_choose,
                args=(one.name,),
                width="stretch",
            )


def _choose(name: str) -> None:
    st.query_params[CHOSEN] = name


def _form(one: Preset, sites: list[str]) -> Wish:
    with st.container(border=True, key=f"group-{one.name}"):
        st.markdown(f"**{one.title}**", help=f"A full run needs {one.needs.images}. {one.needs.data}.")
        said = _roles(one, sites)
        left, middle, right = st.columns(3, vertical_alignment="bottom")
        with left:
            size = st.segmented_control("Size", [MINI, FULL], default=MINI, required=True, key="question-size",
                                        bind="query-params",
                                        help="In miniature: tiny images, few epochs, two or three arms, to see that "
                                        "everything works.")  # fmt: skip
        with middle:
            seeds = st.text_input("Seeds", "", placeholder="as the study says", key="question-seeds",
                                  persist_state="session", help=sweep_form.SEEDS.description)  # fmt: skip
        with right:
            overlap = st.toggle("Allow overlapping sites", key="question-overlap", persist_state="session",
                                help=specs.ViewSpec.model_fields["allow_overlap"].description)  # fmt: skip
        with st.expander("Sources, and what a full run needs"):
            st.markdown(f"Images: {one.needs.images}.  \nData: {one.needs.data}.")
            st.markdown("\n".join(f"- {source}" for source in one.sources))
    try:
        numbers = values.parse(seeds, specs.TrainSpec.model_fields["seed"]) if seeds.strip() else ()
        made = presets.bind(Lab.here(), one, said, mini=size == MINI, seeds=numbers, allow_overlap=overlap)
    except CxrlabError as error:
        return Wish(problem=str(error))
    line = command(one.name, said, mini=size == MINI, seeds=numbers, allow_overlap=overlap)
    return sweep_form.wish_of(made, line)


def _roles(one: Preset, sites: list[str]) -> dict[str, list[str]]:
    """Draw who plays each role; return role → sites."""
    usual = presets.usual(Lab.here(), one, newcomers.first_home(sites))
    said: dict[str, list[str]] = {}
    taken: list[str] = []
    for (role, known), column in zip(one.roles.items(), st.columns(len(one.roles)), strict=True):
        free = [site for site in sites if site not in taken]
        key, title = (
            f"role-{one.name}-{role}-{'-'.join(taken)}",
            f"{role.capitalize()} {'sites' if known.many else 'site'}",
        )
        about = f"{known.what[0].upper()}{known.what[1:]}." + (
            f" For example: {known.example}." if known.example else ""
        )
        start = [site for site in usual[role] if site in free]
        if known.many:
            start = [site for site in start if all(site in newcomers.of(home, sites) for home in taken)]
        with column:
            if known.many:
                said[role] = st.multiselect(
                    title, free, default=start, help=about, key=key, persist_state="session"
                )
            else:
                place = free.index(start[0]) if start else None
                one_site = st.selectbox(
                    title, free, index=place, help=about, key=key, persist_state="session"
                )
                said[role] = [one_site] if one_site else []
        taken += said[role] if not known.many else []
    return {role: some for role, some in said.items() if some}


def command(
    name: str, sites: dict[str, list[str]], *, mini: bool, seeds: Sequence[int], allow_overlap: bool
) -> str:
    """Return the command that does the same."""
    line = f"python -m cxrlab sweep --preset {name}"
    for role, some in sites.items():
        quoted = [shlex.quote(site) for site in some]
        line += (
            f" --{role} {' '.join(quoted)}"
            if role in ("home", "external")
            else f" --role {role}={','.join(quoted)}"
        )
    line += " --mini" * mini + (f" --seeds {' '.join(map(str, seeds))}" if seeds else "")
    return line + " --allow-overlap" * allow_overlap
