"""Figures of the page that asks where to cut, and whether the cut travels.

In:    tidy tables of cxrlab.report.
Out:   Plotly figures, built of plain dictionaries in one go: the slider redraws them while it moves.
Never: streamlit, files, arithmetic on results.
"""

from typing import Any

import pandas as pd
import plotly.graph_objects as go

from cxrlab.ui import words
from cxrlab.ui.figures import cells
from cxrlab.ui.figures.cells import LINE, axis

SHORT = 24  # letters of a reason that fit beside the axis; longer ones stand in the first line
DEFAULT = 0.5  # where a network is cut when nobody has tuned anything
# F1, sensitivity, specificity, PPV: colour and dash, so that the four lines differ in print too.
MEASURES = {
    "f1": ("F1", cells.TEAL, "solid"),
    "sensitivity": ("sensitivity", "#D55E00", "dash"),
    "specificity": ("specificity", "#2F87C0", "dot"),
    "ppv": ("PPV", "#B85C93", "dashdot"),
}


def cuts(rows: pd.DataFrame, chosen: str = "") -> go.Figure:
    """Draw a row a disease: the threshold with its interval beside the default, and what F1 became.

    Args:
        rows: label, threshold, low, high, f1_default, f1_tuned, n_pos, n_neg, why_nan; first row on top.
        chosen: this label is printed in bold.

    Returns:
        A figure whose clicked marker carries customdata [label]; an undefined threshold says why.
    """
    labels = rows["label"].tolist()
    at = {label: i for i, label in enumerate(labels)}
    known = rows[rows["threshold"].notna()]
    error = {
        "type": "data", "symmetric": False, "color": cells.TEAL, "width": 4,
        "array": (known["high"] - known["threshold"]).tolist(),
        "arrayminus": (known["threshold"] - known["low"]).tolist(),
    }  # fmt: skip
    tuned = {
        "type": "scatter", "mode": "markers", "name": "tuned", "error_x": error,
        "x": known["threshold"].tolist(), "y": [at[label] for label in known["label"]],
        "marker": {"size": 12, "color": cells.TEAL}, "unselected": {"marker": {"opacity": 1}},
        "customdata": known[["label", "n_pos", "n_neg"]].to_numpy(),
        "hovertemplate": "%{customdata[0]}: cut at %{x:.3f}, tuned on %{customdata[1]:,} positive and "
        "%{customdata[2]:,} negative images<extra></extra>",
    }  # fmt: skip
    said = [
        {"x": 0.02, "y": at[row["label"]], "xref": "x", "yref": "y", "text": words.undefined(row["why_nan"] if len(row["why_nan"]) <= SHORT else "see above"),
         "showarrow": False, "xanchor": "left", "font": {"size": 12}}
        for row in rows[rows["threshold"].isna()].to_dict("records")
    ]  # fmt: skip
    titles = [
        {"x": x, "y": 1, "xref": "paper", "yref": "paper", "yanchor": "bottom", "showarrow": False, "text": text,
         "font": {"size": 13}}
        for x, text in ((0.275, "threshold"), (0.8, "F1"))
    ]  # fmt: skip
    names = [_name(row, row["label"] == chosen) for row in rows.to_dict("records")]
    y = {
        "tickvals": list(range(len(labels))), "ticktext": names, "range": [len(labels) - 0.5, -0.5],
        "showgrid": False, "fixedrange": True, "zeroline": False, "automargin": True,
    }  # fmt: skip
    layout = {
        "height": 76 + 38 * len(labels), "margin": {"l": 0, "r": 8, "t": 32, "b": 34}, "showlegend": False,
        "dragmode": False, "annotations": [*said, *titles], "yaxis": y,
        "xaxis": axis(range=[-0.02, 1.02], dtick=0.25, domain=[0, 0.55]),
        "xaxis2": axis(range=[-0.02, 1.02], dtick=0.25, domain=[0.6, 1], anchor="y"),
        "shapes": [_upright(DEFAULT, LINE, 1, "dash")],
    }  # fmt: skip
    return go.Figure([tuned, *_before_after(rows, at)], layout)


def _name(row: dict[str, Any], is_chosen: bool) -> str:
    name = f"<b>{row['label']}</b>" if is_chosen else row["label"]
    if not row["n_pos"] + row["n_neg"]:  # tuned on nothing
        return name
    return f"{name}<br><span style='font-size:10px'>{row['n_pos']:,} pos · {row['n_neg']:,} neg</span>"


def _upright(x: float, colour: str, width: float, dash: str = "solid") -> dict[str, Any]:
    line = {"color": colour, "width": width, "dash": dash}
    return {"type": "line", "x0": x, "x1": x, "y0": 0, "y1": 1, "xref": "x", "yref": "y domain", "line": line}


def _before_after(rows: pd.DataFrame, at: dict[str, int]) -> list[dict[str, Any]]:
    """Return an arrow a disease from the F1 at the default to the F1 at the threshold; the default alone where it is."""
    first = rows[rows["f1_default"].notna()]
    both = first[first["f1_tuned"].notna()]
    x, y = [], []
    for a, b, label in zip(both["f1_default"], both["f1_tuned"], both["label"], strict=True):
        x += [a, b, None]
        y += [at[label], at[label], None]
    grey = {"size": 9, "symbol": "circle-open", "color": words.GREY, "line": {"width": 2}}
    of = {"type": "scatter", "xaxis": "x2", "yaxis": "y"}
    keep = {"unselected": {"marker": {"opacity": 1}}}
    return [
        {**of, "mode": "lines", "x": x, "y": y, "hoverinfo": "skip", "line": {"color": LINE, "width": 4}},
        {**of, **keep, "mode": "markers", "name": "default", "marker": grey, "x": first["f1_default"].tolist(),
         "y": [at[label] for label in first["label"]], "customdata": first[["label"]].to_numpy(),
         "hovertemplate": "%{customdata[0]}: F1 %{x:.2f} at the default<extra></extra>"},
        {**of, **keep, "mode": "markers", "name": "tuned F1", "marker": {"size": 11, "color": cells.TEAL},
         "x": both["f1_tuned"].tolist(), "y": [at[label] for label in both["label"]],
         "customdata": both[["label"]].to_numpy(),
         "hovertemplate": "%{customdata[0]}: F1 %{x:.2f} at the threshold<extra></extra>"},
    ]  # fmt: skip


def curve(table: pd.DataFrame, threshold: float, tuned: float | None) -> go.Figure:
    """Draw F1, sensitivity, specificity and PPV over the threshold, named at the lines, not in a legend.

    Args:
        table: threshold, f1, sensitivity, specificity, ppv; rising thresholds.
        threshold: where the slider stands.
        tuned: the tuned threshold, or None.
    """
    lines, ends = [], []
    for key, (name, colour, dash) in MEASURES.items():
        known = table[table[key].notna()]
        if known.empty:
            continue
        lines.append({
            "type": "scatter", "mode": "lines", "name": name, "line": {"color": colour, "dash": dash, "width": 2.5},
            "x": known["threshold"].to_numpy(), "y": known[key].to_numpy(),
            "hovertemplate": f"{name} %{{y:.2f}} at %{{x:.2f}}<extra></extra>",
        })  # fmt: skip
        ends.append((float(known[key].iloc[-1]), float(known["threshold"].iloc[-1]), name, colour))
    ends.sort()
    said = [
        {"x": max(x, 1.0), "y": y, "text": name, "showarrow": False, "xanchor": "left", "xshift": 6,
         "font": {"color": colour, "size": 12}}
        for y, (_, x, name, colour) in zip(_apart([end[0] for end in ends]), ends, strict=True)
    ]  # fmt: skip
    uprights = [_upright(threshold, cells.TEAL, 2)]
    if words.is_known(tuned):
        uprights.append(_upright(tuned, LINE, 1.5, "dot"))
        said.append({"x": tuned, "y": 0, "yref": "y domain", "text": "tuned", "showarrow": False,
                     "xanchor": "left", "yanchor": "bottom"})  # fmt: skip
    layout = {
        "height": 340, "margin": {"l": 8, "r": 84, "t": 12, "b": 8}, "showlegend": False, "dragmode": False,
        "hovermode": "x", "annotations": said, "shapes": uprights,
        "xaxis": axis(title="threshold on the score", range=[0, 1], dtick=0.25),
        "yaxis": axis(range=[-0.02, 1.04], dtick=0.25),
    }  # fmt: skip
    return go.Figure(lines, layout)


def _apart(heights: list[float], step: float = 0.075, top: float = 1.0) -> list[float]:
    """Return rising heights moved until neighbours are `step` apart and none is above `top`, so that names can be read.

    >>> _apart([0.0, 0.0, 0.5], 0.1)
    [0.0, 0.1, 0.5]
    >>> _apart([0.5, 1.0, 1.0], 0.1)
    [0.5, 0.9, 1.0]
    """
    out: list[float] = []
    for height in heights:
        out.append(height if not out else max(height, out[-1] + step))
    for i in range(len(out) - 1, -1, -1):
        out[i] = min(out[i], top if i == len(out) - 1 else out[i + 1] - step)
    return out


def benefit(table: pd.DataFrame, method: str) -> go.Figure:
    """Draw net benefit over the probability at which one would act: the model, treating all, treating none.

    Args:
        table: report.decision_curve: method, threshold, model, treat_all, treat_none.
        method: the recalibration that is drawn full; "none" is drawn thin.
    """
    first = table[table["method"] == table["method"].iloc[0]]
    kinds = [
        ("treat all", first, "treat_all", {"color": words.GREY, "dash": "dash", "width": 1.5}),
        ("treat none", first, "treat_none", {"color": words.GREY, "dash": "dot", "width": 1.5}),
        ("scores as they are", table[table["method"] == "none"], "model", {"color": "#B85C93", "dash": "dot", "width": 2}),
        ("recalibrated", table[table["method"] == method], "model", {"color": cells.TEAL, "width": 2.5}),
    ]  # fmt: skip
    lines = [
        {"type": "scatter", "mode": "lines", "name": name, "line": line, "x": of["threshold"].to_numpy(),
         "y": of[column].to_numpy(), "hovertemplate": f"{name}: %{{y:.3f}} at %{{x:.2f}}<extra></extra>"}
        for name, of, column, line in kinds if len(of)
    ]  # fmt: skip
    most = max(float(first["treat_all"].max()), float(table["model"].max()), 1e-6)
    layout = {
        "height": 340, "margin": {"l": 8, "r": 16, "t": 36, "b": 8}, "showlegend": True, "dragmode": False,
        "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0, "traceorder": "reversed"},
        "hovermode": "x",
        "xaxis": axis(title="probability from which one would act", range=[0, 1], dtick=0.25),
        "yaxis": axis(title="net benefit", range=[-0.3 * most, 1.1 * most]),
    }  # fmt: skip
    return go.Figure(lines, layout)


def confusion(counts: dict[str, float]) -> go.Figure:
    """Draw one 2 × 2 matrix of counts; the wrong cells are hatched.

    Args:
        counts: tp, fp, fn, tn.
    """
    known = all(words.is_known(counts[k]) for k in ("tp", "fp", "fn", "tn"))
    if not known:
        return cells.say_nothing(words.undefined("no threshold or no labelled images"), 150)
    rows, columns = ["finding", "no finding"], ["said positive", "said negative"]
    right = cells.Look("", "#CFE6E6", words.ACCENT)
    wrong = cells.Look("", "#F7D3BC", words.VERDICT_COLOURS[words.WORSE], "/")
    table = []
    for row, column, key, kind in (
        (0, 0, "tp", "right"), (0, 1, "fn", "wrong"), (1, 0, "fp", "wrong"), (1, 1, "tn", "right"),
    ):  # fmt: skip
        of = (counts["tp"] + counts["fn"]) if row == 0 else (counts["fp"] + counts["tn"])
        share = counts[key] / of if of else 0.0
        text = f"<b>{counts[key]:,.0f}</b> {key.upper()}"
        hover = f"{counts[key]:,.0f} of {of:,.0f} images"
        table.append((rows[row], columns[column], kind, share, text, hover))
    frame = pd.DataFrame(table, columns=["row", "column", "kind", "share", "text", "hover"])
    figure = cells.matrix(frame, rows, columns, {"right": right, "wrong": wrong})
    return figure.update_layout(height=190)


def transfer(table: pd.DataFrame, measure: str = "f1") -> go.Figure:
    """Draw a number at each site (across) when the threshold is tuned at each site (down), with what that lost.

    Args:
        table: report.transfer.
        measure: "f1", "sensitivity" or "specificity".

    Returns:
        A matrix; cells whose threshold was tuned on an external site's labels are hatched and say "oracle". A clicked
        cell carries customdata [tuned at, applied at].
    """
    rows, columns = list(dict.fromkeys(table["tuned_at"])), list(dict.fromkeys(table["applied_at"]))
    looks = {
        "frozen": cells.Look("", "#E3F0F0", "#7DBCC0"),
        "oracle": cells.Look("", "#FDF6E8", "#F6DDA6", "/"),
        "undefined": cells.LOOKS["undefined"],
    }
    name = MEASURES[measure][0]
    frame = pd.DataFrame([_cell(row, measure, name) for row in table.to_dict("records")])
    return cells.matrix(frame, rows, columns, looks)


def _cell(row: dict[str, Any], measure: str, name: str) -> dict[str, Any]:
    value, lost = row[measure], row["loss" if measure == "f1" else f"{measure}_loss"]
    known = words.is_known(value)
    change = f" ({words.signed(-lost)})" if words.is_known(lost) and abs(lost) >= 0.005 else ""
    return {
        "row": row["tuned_at"],
        "column": row["applied_at"],
        "kind": ("oracle" if row["oracle"] else "frozen") if known else "undefined",
        "share": value if known else 0.0,
        "text": words.number(value)
        + (f"{change} oracle" if known and row["oracle"] else change if known else ""),
        "hover": f"tuned at {row['tuned_at']}: cut {words.number(row['threshold'], 3)}<br>applied at "
        f"{row['applied_at']}: {name} {words.number(value, reason=row['why_nan'])}<br>re-tuned there (oracle): "
        f"{words.number(row[f'{measure}_retuned'])}",
    }
