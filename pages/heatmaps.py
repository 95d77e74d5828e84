"""Where did it look when it failed?"""

import streamlit as st

from cxrlab.ui import cached, choose, frame, lightbox, pictures, reading, words

SCALES = {"each its own": False, "one for all": True}


def page(study: choose.Study) -> None:
    run_id = study.runs.get("labels")
    sites = pictures.mapped_sites(run_id, study.sites) if run_id else []
    if not sites:
        st.info("No heatmaps yet: they are drawn last, after the thresholds are tuned at home.")
        frame.link("runs", "See how far the runs are", icon=":material/list_alt:")
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        site = st.selectbox("Site", sites, key="site", bind="query-params", width=170)
        maps = cached.maps(run_id, site)
        labels = list(dict.fromkeys(maps.rows["label"]))
        label = st.selectbox("Finding", labels, key="label", bind="query-params", width=200) if labels else ""
        group = st.segmented_control(
            "Failures",
            list(reading.GROUPS),
            default="FN",
            required=True,
            format_func=lambda g: f"{g} · {reading.GROUPS[g]}" if g != "sure" else reading.GROUPS[g],
            key="group",
            bind="query-params",
        )
        order = st.selectbox("Order", reading.ORDERS, key="order", bind="query-params", width=220)
        scale = st.segmented_control(
            "Scale of the colours",
            list(SCALES),
            default="each its own",
            required=True,
            key="scale",
            bind="query-params",
            help="Its own: each map's strongest place is drawn strongest. One for all: a weak map stays faint.",
        )
    table = reading.failures(maps.rows, pictures.tops(run_id, site), label, group, order)
    st.markdown(reading.first_line(table, site, label, group))
    if table.empty:
        return
    top = table["top"].max() if SCALES[scale] else None
    ids = table["image_id"].tolist()
    left, right = st.columns([5, 7], gap="medium")
    with right:
        chosen = lightbox.chooser(ids)
        lightbox.detail(study, run_id, table[table["image_id"] == chosen].iloc[0].to_dict(), site, label, top)
    with left:
        lightbox.sheet(run_id, site, label, table, chosen, top)
    st.caption(
        f"Run `{run_id}`. {maps.method} at layer `{maps.layer}`, "
        f"{maps.maps.shape[1]} × {maps.maps.shape[2]} cells, drawn {'on one scale' if top else 'each on its own scale'}. "
        f"{words.count(len(table), 'map')} of {label} at {site}; threshold from "
        f"{study.threshold_set.tuned_on if study.threshold_set else 'the run'}. A map shows what raised the score, "
        "not what is wrong with the patient."
    )


with frame.page("Heatmaps", "Where did the model look when it failed?"):
    if (found := choose.study()) is not None:
        page(found)
