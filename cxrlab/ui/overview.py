"""The parts of the first page: one card a site, the answer, suggestions, last runs.

In:    a Study and the cached tables.
Out:   drawn parts; each says what is missing when a run has not come so far.
Never: arithmetic on results.
"""

import pandas as pd
import streamlit as st

from cxrlab.errors import CxrlabError, MissingInput
from cxrlab.facts import suggest
from cxrlab.paths import Lab
from cxrlab.ui import cached, frame, live, marks, strips, words
from cxrlab.ui.choose import Study, is_imported

MACRO = "macro"
THUMBNAILS = 5


def tables(study: Study) -> tuple[pd.DataFrame | None, pd.DataFrame | None]:
    """Return (gaps of the findings run, RE table of the autoencoder); None for a run that is not there yet."""
    gaps = re_table = None
    if "labels" in study.runs:
        gaps = cached.gaps(study.runs["labels"], study.home, study.externals)
    if "autoencoder" in study.runs:
        re_table = cached.reconstruction(study.runs["autoencoder"], study.home, study.externals)
    return gaps, re_table


def answer(study: Study, gaps: pd.DataFrame | None, re_table: pd.DataFrame | None) -> None:
    """Draw the answer in one or two computed sentences."""
    if gaps is not None and len(gaps):
        st.markdown(f"#### {cached.headline(gaps, study.home)}")
    elif re_table is not None and (re_table["verdict"] != "home").any():
        st.markdown(f"#### {_re_sentence(re_table)}")
    else:
        st.info("Nothing to compare yet: the answer appears with the first scored external site.")


def _re_sentence(re_table: pd.DataFrame) -> str:
    far = re_table[re_table["verdict"] == "shifted"]["site"].tolist()
    near = re_table[re_table["verdict"] == "like home"]["site"].tolist()
    said = []
    if far:
        said.append(f"To the autoencoder, images of {words.listing(far)} are unlike home's.")
    if near:
        said.append(f"Images of {words.listing(near)} are like home's.")
    return " ".join(said) or "Nothing can be said yet of how far the sites are from home."


def cards(study: Study, gaps: pd.DataFrame | None, re_table: pd.DataFrame | None) -> None:
    """Draw one card a site, home first, at most four a row."""
    sites, colours = list(study.sites), study.colours()
    for start in range(0, len(sites), 4):
        for cell, site in zip(
            st.columns(4 if len(sites) > 3 else 3, gap="small"), sites[start:], strict=False
        ):
            with cell, st.container(border=True, key=f"card-{site}", height="stretch"), frame.caught():
                card(study, site, colours[site], gaps, re_table)


def card(
    study: Study, site: str, colour: str, gaps: pd.DataFrame | None, re_table: pd.DataFrame | None
) -> None:
    """Draw what is known of one site."""
    role = "home" if site == study.home else "external"
    st.html(
        f'<div style="border-left:4px solid {colour};padding-left:8px">'
        f'<strong>{site}</strong> <span style="opacity:.65">{role}</span></div>'
    )
    marks.of_site(site)
    try:
        read = cached.store(site)
    except MissingInput:
        imported = any(is_imported(run_id) for run_id in study.runs.values())
        st.caption(
            "Scores from elsewhere; this lab holds no images of it."
            if imported
            else "Its store is no longer in this lab; its scores are."
        )
    else:
        from cxrlab.facts import site_facts

        images = read.images(site_facts.spread(read, THUMBNAILS))
        with st.container(key=f"panel-strip-{site}"):
            st.image(
                strips.strip(images),
                width="stretch",
                alt=f"Five radiographs of {site}, spread over its images",
            )
        n_patients = read.rows["patient_id"].nunique()
        st.caption(f"{words.count(len(read), 'image')} of {words.count(n_patients, 'patient')}")
    _performance_lines(study, site, gaps)
    _re_line(site, study, re_table)
    frame.link("sites", "What it holds", site=site)


def _performance_lines(study: Study, site: str, gaps: pd.DataFrame | None) -> None:
    run_id = study.runs.get("labels")
    if run_id is None:
        return
    if site not in cached.scored_sites(run_id):
        st.markdown(f"Macro AUROC: not scored yet ({cached.status(run_id).state})")
        return
    table = cached.performance(run_id, site)
    row = table[table["label"] == MACRO].iloc[0]
    st.markdown(f"Macro AUROC **{words.interval(row['auroc'], row['low'], row['high'], row['why_nan'])}**")
    if site == study.home:
        st.caption(f"its own {words.count(row['n'], 'test image')}, never trained on")
        return
    gap = gaps[(gaps["site"] == site) & (gaps["label"] == MACRO)] if gaps is not None else ()
    if len(gap):
        gap = gap.iloc[0]
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.markdown(
                f"Gap {words.interval(gap['gap'], gap['low'], gap['high'], gap['why'])}", width="content"
            )
            st.badge(
                words.verdict(gap["verdict"]),
                color=words.BADGE_COLOURS[gap["verdict"]],
                help=gap["why"] or None,
            )


def _re_line(site: str, study: Study, re_table: pd.DataFrame | None) -> None:
    if re_table is None or site == study.home:
        return
    row = re_table[re_table["site"] == site]
    if row.empty:
        st.caption("Reconstruction: not scored yet")
        return
    row = row.iloc[0]
    value = words.interval(row["auroc_vs_home"], row["low"], row["high"], row["why_nan"])
    st.markdown(
        f"RE against home {value}",
        help="AUROC with which the reconstruction error alone tells this site's images from home's test images; "
        "one half: not at all.",
    )


def matrix(study: Study, gaps: pd.DataFrame | None) -> None:
    """Draw the site by label matrix of gaps; a click opens Generalization there."""
    if gaps is None or gaps.empty:
        return
    from cxrlab.ui.figures import base, generalization

    st.subheader("Gap of every label at every site", anchor=False)
    run_id = study.runs["labels"]
    points = base.show(
        generalization.matrix(gaps),
        "home-gaps",
        data=gaps,
        caption=f"Home minus external AUROC; {words.legend()}. Run `{run_id}`, home {study.home}; "
        f"{cached.policy_of(run_id)}; intervals over patients. Click a cell to open it.",
        alt=f"Matrix of AUROC gaps: {words.count(gaps['label'].nunique(), 'row')} of labels, one column a site.",
        select=True,
    )
    if points:
        label, site = points[0]["customdata"][:2]
        frame.go("generalization", label=label, site=site)


def sites_without_runs(sites: list[str]) -> None:
    """Draw what is there before the first run, and the next step."""
    st.markdown(
        f"{words.count(len(sites), 'site')} in this lab: {words.listing(sites)}. No model was trained yet."
        if len(sites) > 1
        else f"One site in this lab: {sites[0]}. A study needs a home and, to say anything of travel, another site."
    )
    with st.container(horizontal=True):
        frame.link("launch", "Launch a study over these sites", icon=":material/play_circle:")
        frame.link("sites", "Look at what they hold", icon=":material/dataset:")


def next_steps(study: Study, gaps: pd.DataFrame | None, re_table: pd.DataFrame | None) -> None:
    """Draw three computed suggestions with their links."""
    found = suggest.suggest(gaps, re_table, study.home)
    found = [one for one in found if (frame.ROOT / "pages" / f"{one.page}.py").exists()]
    if not found:
        return
    st.subheader("What to look at next", anchor=False)
    titles = {name: title for _, name, title, _ in frame.PAGES}
    for one in found:
        with st.container(border=True, gap="small"):
            st.markdown(one.sentence)
            frame.link(one.page, f"Open {titles[one.page]}", icon=":material/arrow_forward:", **one.query)


def last_runs(most: int = 5) -> None:
    """Draw the runs that were submitted last, alive ones first."""
    lab, rows = Lab.here(), []
    for run_id in lab.run_ids():
        try:
            now = cached.status(run_id)
        except CxrlabError as error:
            rows.append({"run": run_id, "state": "damaged", "what": str(error), "submitted": pd.NaT})
            continue
        when = pd.Timestamp(now.submitted, unit="s") if words.is_known(now.submitted) else pd.NaT
        rows.append({"run": run_id, "state": now.state, "what": live.said(now), "submitted": when})
    if not rows:
        return
    st.subheader("Last runs", anchor=False)
    table = pd.DataFrame(rows).sort_values("submitted", ascending=False).head(most)
    st.dataframe(
        table,
        hide_index=True,
        key="last-runs",
        column_config={
            "run": st.column_config.TextColumn("Run", width="large"),
            "state": "State",
            "what": st.column_config.TextColumn("What", width="medium"),
            "submitted": st.column_config.DatetimeColumn("Submitted (UTC)", format="YYYY-MM-DD HH:mm"),
        },
    )
    frame.link("runs", "All runs", icon=":material/list_alt:")
