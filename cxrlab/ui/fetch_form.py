"""The form that gets published collections: the licence first, then a process of its own; for the rest, the steps.

In:    what a person chooses and accepts.
Out:   a fetch under way, drawn as it goes; the import form, filled in, once it is here.
Never: a download before its licence was accepted; the network inside the page.
"""

import streamlit as st

from cxrlab import jobs
from cxrlab.paths import Lab
from cxrlab.ui import frame, live, words

DO = "Get open data"


def draw() -> None:
    """Draw the choice of a collection, its terms or steps, and what is under way."""
    from cxrlab import fetching

    left, right = st.columns([2, 3], gap="large")
    with left:
        name = st.selectbox(
            "Collection", list(fetching.CATALOGUE), key="fetch-name",
            format_func=lambda one: f"{one}: {fetching.CATALOGUE[one].title}",
        )  # fmt: skip
        one = fetching.CATALOGUE[name]
        variant = None
        if len(one.variants) > 1:
            variant = st.segmented_control(
                "Side, px",
                list(one.variants),
                default=one.variants[0],
                required=True,
                key=f"fetch-size-{name}",
            )
        if not one.gated:
            asked = st.checkbox("I have read the licence and accept it", key=f"fetch-yes-{name}-{variant}")
            if st.button(
                "Fetch", type="primary", icon=":material/cloud_download:", disabled=not asked, key="fetch-go"
            ):
                with frame.caught():
                    fetching.start(Lab.here(), name, variant=variant)
    with right, frame.caught():
        terms(one, variant)
        steps(one) if one.gated else next_step(name, variant)
        under_way()


def terms(one, variant: str | None) -> None:
    """Draw licence, citation, size and what nobody vouches for."""
    from cxrlab.fetching import terms as known

    st.markdown(f"**{one.title}**")
    st.code(
        known.licence(one, variant) if not one.gated else gated_terms(one), language=None, wrap_lines=True
    )


def gated_terms(one) -> str:
    """Return licence, citation and page of a collection that must be asked for."""
    return f"licence: {one.licence}\ncite:    {one.citation}\npage:    {one.page}"


def steps(one) -> None:
    """Draw how to ask for a collection, and what its folder must look like."""
    from cxrlab import fetching

    st.markdown("It must be asked for in person; nothing is fetched here.")
    st.markdown("\n".join(f"{number}. {step}" for number, step in enumerate(one.steps, 1)))
    st.markdown("Then its folder must look like this, and *Import a site* reads it:")
    st.code(one.layout, language=None)
    if one.note:
        st.caption(one.note)
    folder = fetching.folder_of(Lab.here(), one.name)
    st.code("\n".join(fetching.ingest_commands(folder, one.name)), language="bash", wrap_lines=True)


def next_step(name: str, variant: str | None) -> None:
    """Draw how a collection that is here is read in."""
    from cxrlab import fetching

    folder = fetching.folder_of(Lab.here(), name)
    if not fetching.is_fetched(folder, name, variant):
        return
    st.success(f"It is here: {folder}. Read it in under *Import a site*, or with:")
    st.code("\n".join(fetching.ingest_commands(folder, name, variant)), language="bash", wrap_lines=True)


def said(now) -> str:
    """Return what a fetch does in one line, in bytes."""
    from cxrlab.fetching.terms import amount

    if now.state != "running":
        return live.said(now)
    parts = [now.stage or "starting"]
    if now.done:
        parts.append(f"{amount(now.done)} of {amount(now.of)}" if now.of else amount(now.done))
    if words.is_known(now.rate):
        parts.append(f"{amount(now.rate)} a second")
    if words.is_known(now.seconds_left):
        parts.append(f"{words.duration(now.seconds_left)} left")
    return " · ".join(parts)


@st.fragment(run_every=live.EVERY)
def under_way() -> None:
    """Draw the fetches that have not ended well; renew the page when one does."""
    from cxrlab import fetching

    with frame.caught():
        now = fetching.under_way(Lab.here())
        for name, status in now.items():
            with st.container(border=True, key=f"fetching-{name}"):
                with st.container(horizontal=True, vertical_alignment="center"):
                    st.markdown(f"**{name}**", width="content")
                    live.badge(status)
                    if status.is_alive and st.button("Stop", key=f"fetch-stop-{name}", type="tertiary"):
                        jobs.cancel(Lab.here().fetching(name))
                if status.is_alive:
                    st.progress(live.share(status), text=said(status))
                else:
                    st.caption(said(status))
        before, st.session_state["fetches-seen"] = st.session_state.get("fetches-seen"), sorted(now)
        if before is not None and set(before) - set(now):
            st.rerun()
