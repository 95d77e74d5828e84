"""Where did it look when it failed?"""

import streamlit as st

from cxrlab.ui import asked, cached, choose, frame, lightbox, pictures, reading, sayings, words

SCALES = {"each its own": False, "one for all": True}


def page(study: choose.Study) -> None:
    run_id = study.runs.get("labels")
    sites = pictures.mapped_sites(run_id, study.sites) if run_id else []
    if not sites and run_id and choose.is_imported(run_id):
        st.info("The scores of this run were imported: without its network no heatmap can be drawn.")
        return
    if not sites and run_id and not study.home:
        st.info(
            "No heatmaps: they show failures at the thresholds that a home tunes, and this network's home is not known. Import "
            "it again with --site and another --name to give it one."
        )
        return
    if not sites:
        st.info("No heatmaps yet: they are drawn last, after the thresholds are tuned at home.")
        frame.link("runs", "See how far the runs are", icon=":material/list_alt:")
        return
    with st.container(horizontal=True, vertical_alignment="top"):
        # It opens where most was lost; a link says otherwise.
        gaps = cached.gaps(run_id, study.home, asked.scored(run_id, study.externals))
        worst = sayings.worst_label(gaps)
        start = sites.index(there) if (there := sayings.worst_site(gaps, worst)) in sites else 0
        site = st.selectbox("Site", sites, index=start, key="site", bind="query-params", width=160)
        maps = cached.maps(run_id, site)
        labels = list(dict.fromkeys(maps.rows["label"]))
        start = labels.index(worst) if worst in labels else 0
        label = st.selectbox("Finding", labels, index=start, key="label", bind="query-params", width=170)
        group = st.segmented_control(
            "Failures", list(reading.GROUPS), default="missed", required=True, key="group", bind="query-params",
            help="Missed: false negatives. False alarms: false positives. Surest: farthest on the wrong side of the threshold.",
        )  # fmt: skip
        order = st.selectbox("Order", reading.ORDERS, key="order", bind="query-params", width=190)
        scale = st.segmented_control(
            "Colour scale",
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
    spec = cached.run_spec(run_id)
    st.caption(
        f"Run `{run_id}`, seed {spec.seed}. {maps.method} at layer `{maps.layer}`, {maps.maps.shape[1]} × {maps.maps.shape[2]} "
        f"cells, drawn {'on one scale' if top else 'each on its own scale'}. {words.count(len(table), 'map')} of {label} at "
        f"{site}; failures at the thresholds that the run tuned. A map shows what raised the score, not what is wrong with "
        "the patient."
    )


with frame.page("Heatmaps", "Where did the model look when it failed?"):
    if (found := choose.study()) is not None:
        page(found)
