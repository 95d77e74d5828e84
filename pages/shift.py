"""How far from home, of what kind, and does it explain the loss?"""

import streamlit as st

from cxrlab.ui import asked, cached, choose, frame, pictures, sayings, understood, words
from cxrlab.ui.figures import base
from cxrlab.ui.figures import shift as figures


def page(study: choose.Study, run_id: str) -> None:
    sites = asked.scored(run_id, study.sites)
    table = cached.reconstruction(run_id, study.home, sites[1:])
    spec = cached.run_spec(run_id)
    tail = (
        f"Autoencoder `{run_id}`, {spec.model.latent_units} units, seed {spec.seed}; home {study.home} "
        f"(test rows, n = {words.count(table['n'].iloc[0])}). RE: mean squared error of an image scaled to 0 to 1."
    )
    st.markdown(sayings.shift(table, study.home))
    left, right = st.columns([7, 5], gap="medium")
    with left:
        density = understood.densities(run_id, study.home, sites)
        base.show(figures.ridges(density, table, study.home, study.colours()), "re-by-site", data=density,
                  caption=f"Smoothed histograms, each to its own height; dot: median; bar: middle half. {tail}",
                  alt=f"Distributions of reconstruction error. {sayings.shift(table, study.home)}")  # fmt: skip
    others = table[table["verdict"] != "home"].reset_index(drop=True)
    with right:
        if len(others):
            base.show(figures.apart(others, study.colours()), "re-against-home", data=others,
                      caption="Probability that an image there is harder to rebuild than one at home. Bars: 95 per cent over "
                      "patients. Grey: 95 of 100 random splits of home's own patients stay inside.",
                      alt=sayings.shift(table, study.home))  # fmt: skip
    base.table(
        understood.quantile_table(table),
        "re-quantiles",
        alt="Quantiles of reconstruction error, one row a site",
    )
    with st.container(horizontal=True, wrap=False):
        st.caption(f"RE by site. {tail}", width="stretch")
        base.export(table, "re-quantiles")
    explains(study, run_id)
    rebuilt(study, run_id, sites)
    chart(study, run_id, sites, tail)


def explains(study: choose.Study, run_id: str) -> None:
    st.subheader("Does it explain the loss?", anchor=False)
    model = study.runs.get("labels")
    if model is None:
        base.empty(f"no findings model of {study.home} has scores yet.")
        return
    labels = [sayings.MACRO, *cached.predictions(model, study.home).labels]
    label = st.selectbox("Performance on", labels, key="label", bind="query-params", width=260)
    found = asked.relation(run_id, model, study.home, study.externals, label)
    st.markdown(found["sentence"])
    if found["repeats"]:
        st.caption(sayings.repeated(found["repeats"]))
    if found["points"].empty:
        base.empty(f"no site has both numbers for {label}.")
        return
    measure = f"Mean {found['y']} over labels" if label == sayings.MACRO else f"{found['y']} of {label}"
    base.show(figures.relation(found["points"], study.home, study.colours(), measure, found["repeats"]),
              "re-and-performance", data=found["points"],
              caption=f"One point a site{'; hollow: not counted' * bool(found['repeats'])}. Performance of run `{model}`; "
              "bars: 95 per cent over patients. p over all orders of the sites.", alt=found["sentence"])  # fmt: skip


def rebuilt(study: choose.Study, run_id: str, sites: tuple[str, ...]) -> None:
    there = understood.with_pairs(run_id, sites)
    if not there:
        return
    st.subheader("Best and worst reconstructions", anchor=False)
    site = st.segmented_control(
        "At", there, default=there[-1], required=True, wrap=True, key="site", bind="query-params"
    )
    top = understood.strongest_error(run_id, site)
    table = understood.pairs(run_id, site)
    for kind, title in (("worst", "Hardest to rebuild"), ("best", "Easiest to rebuild")):
        st.markdown(f"**{title}** at {site}")
        with st.container(key=f"panel_{kind}"):
            cells = st.columns(2, gap="medium") * understood.SHOWN
            for cell, row in zip(cells, table[table["kind"] == kind].to_dict("records"), strict=False):
                said = f"{row['image_id']} · RE {words.number(row['re'], 4)}"
                picture = understood.triptych(run_id, site, row["place"], top)
                cell.image(
                    picture,
                    width="stretch",
                    output_format="PNG",
                    alt=f"Input, reconstruction and error of {said}",
                )
                cell.markdown(f":small[{said}]")
    st.caption(f"Input, reconstruction, absolute error (black: none, yellow: {words.number(top)} of the grey scale or "
               f"more; one scale for {site}). Run `{run_id}`.")  # fmt: skip


def chart(study: choose.Study, run_id: str, sites: tuple[str, ...], tail: str) -> None:
    st.subheader("Latent map", anchor=False)
    with frame.caught():
        points, shares = understood.latent_map(run_id, study.home, sites)
        left, right = st.columns([7, 5], gap="medium")
        with left:
            seen = base.show(
                figures.latents(points, study.home, study.colours(), shares), "latent-map", data=points, select=True,
                caption=f"A random {words.count(understood.MOST)} images a site at most, on the two axes along which home "
                f"varies most. Click a point for its image. {tail}",
                alt=f"Latents of {words.listing(sites)} on home's principal axes",
            )  # fmt: skip
        with right, st.container(key="panel_latent", horizontal=True):
            clicked = [p["customdata"] for p in seen if p.get("customdata") is not None][:8]
            if not clicked:
                st.markdown(":small[Click a point to see its image here.]")
            for site, row in clicked:
                st.image(pictures.radiograph(site, row, side=understood.SIDE), width=understood.SIDE, output_format="PNG", caption=f"{site}, image {row}",
                         alt=f"Image {row} of {site}")  # fmt: skip


def nothing_yet(study: choose.Study) -> None:
    st.info(
        f"No autoencoder of {study.said_home} has scores yet; this page compares its reconstruction errors."
    )
    begun = [r for r in study.unfinished if cached.run_spec(r).task == "autoencoder"]
    if begun:
        state = cached.status(begun[0]).state
        text = f"One is begun ({words.STATES.get(state, state)}): see it on Runs"
        frame.link("runs", text, icon=":material/list_alt:")
    else:
        frame.link("launch", "Train one", icon=":material/play_circle:")


def notes() -> None:
    with st.expander("How these numbers are made"):
        st.markdown(
            "- **Home's rows** are its test rows: the autoencoder has seen the others.\n"
            "- **Against home itself**: home's patients are split at random many times; a distance inside what such splits "
            "give is not called a shift.\n"
            "- **What RE sees**: contrast, noise and framing at least as much as disease. A shift in RE is not yet a loss.\n"
            "- **Relation**: over sites, not images. With few sites no p can be small; then it says *too few sites*.\n"
            "- **Latent map**: two axes of many. Sites that overlap here can still differ along the others."
        )


with frame.page("Shift", "How far from home is each site, and does it explain the loss?"):
    if (found := choose.study()) is not None:
        if "autoencoder" in found.runs:
            page(found, found.runs["autoencoder"])
        else:
            nothing_yet(found)
        notes()
