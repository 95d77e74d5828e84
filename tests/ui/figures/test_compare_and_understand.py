"""What the figures of Generalization, Thresholds, Shift and Heatmaps must say."""

import numpy as np
import pandas as pd

from cxrlab.ui import words
from cxrlab.ui.figures import cells, generalization, heatmaps, shift, thresholds

NAN = float("nan")
COLOURS = words.site_colours("home", ["far", "gone", "empty", "x"])


def gaps():
    rows = [
        ("far", "macro", 0.9, 0.8, 0.1, 0.05, 0.15, 0.001, "worse", 50, 100, ""),
        ("far", "Edema", 0.9, NAN, NAN, NAN, NAN, NAN, "cannot say", 0, 150, "no positive images"),
        ("far", "Pneumonia", 0.9, 0.6, 0.3, 0.2, 0.4, 0.001, "worse", 50, 100, ""),
        ("near", "macro", 0.9, 0.9, 0.0, -0.02, 0.02, 0.9, "no gap", 50, 100, ""),
        ("near", "Edema", 0.9, 0.95, -0.05, -0.09, -0.01, 0.01, "better", 50, 100, ""),
        ("near", "Pneumonia", 0.9, 0.7, 0.2, -0.1, 0.5, 0.2, "cannot say", 140, 4, "4 negative patients"),
    ]
    names = [
        "site",
        "label",
        "internal",
        "external",
        "gap",
        "low",
        "high",
        "p",
        "verdict",
        "n_pos",
        "n_neg",
        "why",
    ]
    return pd.DataFrame(rows, columns=names)


def texts(figure):
    said = [t for trace in figure.data if trace.text is not None for t in np.atleast_1d(trace.text)]
    return said + [a.text for a in figure.layout.annotations]


def hovers(figure):
    return [t for trace in figure.data if trace.hovertext is not None for t in trace.hovertext]


def test_a_gap_that_is_nan_reads_undefined_and_hover_says_why():
    figure = generalization.matrix(gaps())
    assert texts(figure).count("undefined") == 1
    assert any("undefined (no positive images)" in h for h in hovers(figure))


def test_every_verdict_has_a_sign_and_doubt_is_hatched():
    figure = generalization.matrix(gaps())
    assert {"▼ .30", "▲ −.05", "= .00", "? .20"} <= set(texts(figure))
    hatched = {trace.name for trace in figure.data if trace.type == "bar" and trace.marker.pattern.shape}
    assert hatched == {"? cannot say"}


def test_a_cell_carries_its_label_and_site_and_macro_stands_on_top():
    figure = generalization.matrix(gaps(), chosen="Pneumonia")
    carried = {tuple(c) for trace in figure.data if trace.customdata is not None for c in trace.customdata}
    assert ("Pneumonia", "far") in carried
    assert figure.layout.yaxis.ticktext == ("macro", "Edema", "<b>Pneumonia</b>")


def test_text_on_a_cell_can_be_read():
    assert cells.ink_on("#D55E00") == cells.PAPER
    assert cells.ink_on("#F7D3BC") == cells.INK


def points(**more):
    table = pd.DataFrame(
        {
            "site": ["home", "far", "gone"],
            "value": [0.9, 0.6, NAN],
            "low": [0.85, 0.5, NAN],
            "high": [0.94, 0.7, NAN],
            "n_pos": [30, 40, 0],
            "n_neg": [60, 70, 10],
            "verdict": ["", "worse", "cannot say"],
            "why_nan": ["", "", "no positive images"],
        }
    )
    return table.assign(**more)


def test_a_dumbbell_joins_home_to_sites_and_says_what_is_undefined():
    figure = generalization.dumbbell(points(), "home", COLOURS)
    assert any("undefined (no positive images)" in t for t in texts(figure))
    assert any(".60 [.50, .70]" in t and "▼ worse" in t for t in texts(figure))
    joined = [trace for trace in figure.data if trace.mode == "lines"]
    assert [tuple(t.x) for t in joined] == [(0.9, 0.6)]


def test_roc_and_pr_have_their_chance_lines_and_equal_axes():
    curve = pd.DataFrame({"x": [0, 1], "y": [0, 1]})
    roc = generalization.roc({"home": curve}, "home", COLOURS, {"home": ".90"})
    assert roc.data[0].name == "chance"
    assert roc.layout.yaxis.scaleanchor == "x"
    pr = generalization.pr({"home": curve}, "home", COLOURS, {}, {"home": 0.2})
    assert pr.layout.shapes[0].y0 == 0.2


def test_confusion_bars_count_images_and_hatch_what_is_wrong():
    counts = pd.DataFrame(
        {"site": ["home", "none"], "tp": [8, NAN], "fn": [2, NAN], "tn": [90, NAN], "fp": [10, NAN]}
    )
    figure = generalization.confusion(counts)
    assert {"TP 8", "FN 2", "TN 90", "FP 10", ""} == {t for trace in figure.data for t in trace.text}
    assert {t.name for t in figure.data if t.marker.pattern.shape} == {"missed", "false alarm"}
    assert list(figure.data[1].customdata[0]) == ["home", "FN"]


def cuts():
    return pd.DataFrame(
        {
            "label": ["Edema", "Pneumonia"],
            "threshold": [NAN, 0.3],
            "low": [NAN, 0.2],
            "high": [NAN, 0.4],
            "f1_default": [NAN, 0.5],
            "f1_tuned": [NAN, 0.7],
            "n_pos": [0, 40],
            "n_neg": [100, 60],
            "why_nan": ["no positive images", ""],
        }
    )


def test_an_undefined_threshold_says_why_where_its_mark_would_be():
    assert "undefined (no positive images)" in texts(thresholds.cuts(cuts()))


def test_threshold_curves_are_named_in_place_and_names_do_not_cover_each_other():
    grid = np.linspace(0, 1, 11)
    table = pd.DataFrame(
        {"threshold": grid, "f1": grid, "sensitivity": 1 - grid, "specificity": grid, "ppv": grid}
    )
    figure = thresholds.curve(table, 0.4, 0.3)
    assert not figure.layout.showlegend
    heights = sorted(a.y for a in figure.layout.annotations if a.text in ("F1", "PPV", "specificity"))
    assert np.diff(heights).min() > 0.05


def test_an_unknown_confusion_matrix_is_a_sentence():
    figure = thresholds.confusion({"tp": NAN, "fp": 1, "fn": 1, "tn": 1})
    assert "undefined" in figure.layout.annotations[0].text


def test_a_threshold_tuned_on_external_labels_is_called_oracle():
    table = pd.DataFrame(
        {
            "tuned_at": ["home", "home", "far", "far"],
            "applied_at": ["home", "far", "home", "far"],
            "f1": [0.8, 0.6, 0.7, NAN],
            "f1_retuned": [0.8, 0.65, 0.8, NAN],
            "loss": [0.0, 0.05, 0.1, NAN],
            "sensitivity": [0.9, 0.5, 0.7, NAN],
            "sensitivity_retuned": [0.9, 0.7, 0.9, NAN],
            "sensitivity_loss": [0.0, 0.2, 0.2, NAN],
            "threshold": [0.3, 0.3, 0.5, NAN],
            "oracle": [False, False, True, True],
            "why_nan": ["", "", "", "no positive images"],
        }
    )
    assert {".80", ".60 (−.05)", ".70 (−.10) oracle", "undefined"} == set(texts(thresholds.transfer(table)))
    assert ".50 (−.20)" in texts(thresholds.transfer(table, "sensitivity"))


def test_a_decision_curve_shows_the_model_beside_all_and_none():
    one = {"threshold": [0.1, 0.2], "treat_all": [0.1, 0.0], "treat_none": [0.0, 0.0]}
    table = pd.concat(
        [pd.DataFrame({"method": name, **one, "model": model}) for name, model in (("none", [0.1, 0.05]), ("platt", [0.15, 0.1]))],
        ignore_index=True,
    )  # fmt: skip
    names = [trace.name for trace in thresholds.benefit(table, "platt").data]
    assert names == ["treat all", "treat none", "scores as they are", "recalibrated"]
    alone = thresholds.benefit(table[table["method"] == "none"], "platt")
    assert [trace.name for trace in alone.data] == names[:3]


def quantiles():
    return pd.DataFrame(
        {
            "site": ["home", "far", "empty"],
            "n": [100, 50, 0],
            "q05": [0.1, 0.3, NAN],
            "q25": [0.2, 0.4, NAN],
            "median": [0.3, 0.5, NAN],
            "q75": [0.4, 0.6, NAN],
            "q95": [0.5, 0.7, NAN],
            "auroc_vs_home": [NAN, 0.9, NAN],
            "null_auroc": [NAN, 0.05, NAN],
            "low": [NAN, 0.85, NAN],
            "high": [NAN, 0.94, NAN],
            "why_nan": ["", "", "no reconstruction errors"],
        }
    )


def test_ridges_stand_over_homes_band_and_an_empty_site_says_so():
    density = pd.DataFrame(
        {"site": ["home"] * 3 + ["far"] * 3, "re": [0.1, 0.3, 0.5] * 2, "height": [0, 1, 0] * 2}
    )
    figure = shift.ridges(density, quantiles(), "home", COLOURS)
    assert (figure.layout.shapes[0].x0, figure.layout.shapes[0].x1) == (0.1, 0.5)
    assert "undefined (no reconstruction errors)" in texts(figure)


def test_distance_from_home_stands_beside_home_against_itself():
    figure = shift.apart(quantiles().iloc[1:], COLOURS)
    assert [(s.x0, s.x1) for s in figure.layout.shapes if s.name == "home against itself"] == [(0.45, 0.55)]
    assert ".90 [.85, .94]" in texts(figure)


def test_every_site_is_one_named_point_and_unknown_ones_are_left_out():
    table = pd.DataFrame({"site": ["home", "far", "x"], "re": [0.1, 0.2, 0.3], "value": [0.9, 0.6, NAN]})
    figure = shift.relation(table, "home", COLOURS, "AUROC")
    assert [trace.text[0] for trace in figure.data] == ["home (home)", "far"]


def test_a_latent_point_carries_its_site_and_row():
    table = pd.DataFrame({"site": ["home", "far"], "x": [0.0, 1], "y": [0.0, 1], "row": [3, 4]})
    figure = shift.latents(table, "home", COLOURS, (0.5, 0.1))
    assert list(figure.data[1].customdata[0]) == ["far", 4]
    assert len({trace.marker.symbol for trace in figure.data}) == 2


def test_a_wrong_score_is_hatched_and_an_unlabelled_finding_says_so():
    table = pd.DataFrame(
        {"label": ["A", "B", "C"], "score": [0.9, 0.2, 0.5], "threshold": [0.5, 0.5, NAN], "y": [0, NAN, 1]}
    )
    figure = heatmaps.scores(table, "A")
    assert list(figure.data[0].marker.pattern.shape) == ["/", "", ""]
    assert {"absent · wrong", "not labelled", "present"} == set(texts(figure))


def test_home_has_the_same_colour_in_every_figure():
    first = generalization.dumbbell(points(), "home", COLOURS).data[0].marker.color
    assert first == words.SITE_COLOURS[0]
    latent = shift.latents(
        pd.DataFrame({"site": ["home"], "x": [0], "y": [0], "row": [0]}), "home", COLOURS, (1, 0)
    )
    assert latent.data[0].marker.color == first
