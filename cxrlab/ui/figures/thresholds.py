"""Figures of the page that asks where to cut, and whether the cut travels.

In:    tidy tables of cxrlab.report.
Out:   Plotly figures.
Never: streamlit, files, arithmetic on results.
"""

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from cxrlab.ui import words
from cxrlab.ui.figures import cells
from cxrlab.ui.figures.cells import LINE, axis

DEFAULT = 0.5  # where a network is cut when nobody has tuned anything
# F1, sensitivity, specificity, PPV: colour and dash, so that the four lines differ in print too.
MEASURES = {
    "f1": ("F1", cells.TEAL, "solid"),
    "sensitivity": ("sensitivity", "#D55E00", "dash"),
    "specificity": ("specificity", "#2F87C0", "dot"),
    "ppv": ("PPV", "#B85C93", "dashdot"),
}


def cuts(rows: pd.DataFrame, chosen: str = "") -> go.Figure:
    """Draw a row a disease: the tuned threshold with its interval beside the default, and what F1 became.

    Args:
        rows: label, threshold, low, high, f1_default, f1_tuned, n_pos, n_neg, why_nan; first row on top.
        chosen: this label is printed in bold.

    Returns:
        A figure whose clicked marker carries customdata [label]; an undefined threshold says why.
    """
    figure = make_subplots(
        rows=1, cols=2, shared_yaxes=True, column_widths=[0.58, 0.42], horizontal_spacing=0.05,
        subplot_titles=("threshold", "F1: default → tuned"),
    )  # fmt: skip
    labels = rows["label"].tolist()
    at = list(range(len(labels)))
    known = rows[rows["threshold"].notna()]
    y = [labels.index(label) for label in known["label"]]
    figure.add_scatter(
        x=known["threshold"], y=y, mode="markers", name="tuned", row=1, col=1,
        marker={"size": 12, "color": cells.TEAL}, customdata=known[["label", "n_pos", "n_neg"]].to_numpy(),
        error_x={"type": "data", "symmetric": False, "array": known["high"] - known["threshold"],
                 "arrayminus": known["threshold"] - known["low"], "color": cells.TEAL, "width": 4},
        hovertemplate="%{customdata[0]}: cut at %{x:.3f}, tuned on %{customdata[1]:,} positive and "
        "%{customdata[2]:,} negative images<extra></extra>",
    )  # fmt: skip
    for i, row in zip(at, rows.to_dict("records"), strict=True):
        if not words.is_known(row["threshold"]):
            figure.add_annotation(
                x=0.02, y=i, xref="x", yref="y", text=words.undefined(row["why_nan"]), showarrow=False,
                xanchor="left", font={"size": 12},
            )  # fmt: skip
    _before_after(figure, rows)
    cells.small_titles(figure)
    figure.update_traces(unselected={"marker": {"opacity": 1}}, selector={"mode": "markers"})
    figure.add_vline(x=DEFAULT, line={"color": LINE, "width": 1, "dash": "dash"}, row=1, col=1)
    names = [f"<b>{x}</b>" if x == chosen else x for x in labels]
    figure.update_layout(
        height=76 + 32 * len(labels),
        margin={"l": 0, "r": 8, "t": 32, "b": 34},
        showlegend=False,
        dragmode=False,
    )
    figure.update_xaxes(**axis(range=[-0.02, 1.02], dtick=0.25))
    figure.update_yaxes(
        tickvals=at, ticktext=names, range=[len(labels) - 0.5, -0.5], showgrid=False, fixedrange=True,
        zeroline=False, automargin=True,
    )  # fmt: skip
    return figure


def _before_after(figure: go.Figure, rows: pd.DataFrame) -> None:
    """Draw an arrow a disease from the F1 at the default to the F1 at the tuned threshold."""
    at = {label: i for i, label in enumerate(rows["label"])}
    both = rows[rows["f1_default"].notna() & rows["f1_tuned"].notna()]
    y = [at[label] for label in both["label"]]
    x, y_lines = [], []
    for a, b, i in zip(both["f1_default"], both["f1_tuned"], y, strict=True):
        x += [a, b, None]
        y_lines += [i, i, None]
    figure.add_scatter(x=x, y=y_lines, mode="lines", hoverinfo="skip", line={"color": LINE, "width": 4}, row=1, col=2)  # fmt: skip
    figure.add_scatter(
        x=both["f1_default"], y=y, mode="markers", row=1, col=2, name="default",
        marker={"size": 9, "symbol": "circle-open", "color": words.GREY, "line": {"width": 2}},
        customdata=both[["label"]].to_numpy(), hovertemplate="%{customdata[0]}: F1 %{x:.2f} at the default<extra></extra>",
    )  # fmt: skip
    figure.add_scatter(
        x=both["f1_tuned"], y=y, mode="markers", row=1, col=2, name="tuned F1",
        marker={"size": 11, "color": cells.TEAL}, customdata=both[["label"]].to_numpy(),
        hovertemplate="%{customdata[0]}: F1 %{x:.2f} at the tuned threshold<extra></extra>",
    )  # fmt: skip


def curve(table: pd.DataFrame, threshold: float, tuned: float | None) -> go.Figure:
    """Draw F1, sensitivity, specificity and PPV over the threshold, named at the lines, not in a legend.

    Args:
        table: threshold, f1, sensitivity, specificity, ppv; rising thresholds.
        threshold: where the slider stands.
        tuned: the tuned threshold, or None.
    """
    figure = go.Figure()
    ends = []
    for key, (name, colour, dash) in MEASURES.items():
        known = table[table[key].notna()]
        if known.empty:
            continue
        figure.add_scatter(
            x=known["threshold"], y=known[key], mode="lines", name=name, line={"color": colour, "dash": dash, "width": 2.5},
            hovertemplate=f"{name} %{{y:.2f}} at %{{x:.2f}}<extra></extra>",
        )  # fmt: skip
        ends.append([float(known[key].iloc[-1]), float(known["threshold"].iloc[-1]), name, colour])
    for y, (_, x, name, colour) in zip(_apart([e[0] for e in sorted(ends)]), sorted(ends), strict=True):
        figure.add_annotation(
            x=max(x, 1.0),
            y=y,
            text=name,
            showarrow=False,
            xanchor="left",
            font={"color": colour, "size": 12},
            xshift=6,
        )
    if words.is_known(tuned):
        figure.add_vline(
            x=tuned, line={"color": LINE, "width": 1.5, "dash": "dot"}, annotation_text="tuned",
            annotation_position="bottom right",
        )  # fmt: skip
    figure.add_vline(x=threshold, line={"color": cells.TEAL, "width": 2})
    figure.update_layout(
        height=340, margin={"l": 8, "r": 84, "t": 12, "b": 8}, showlegend=False, dragmode=False, hovermode="x"
    )
    figure.update_xaxes(**axis(title="threshold on the score", range=[0, 1], dtick=0.25))
    figure.update_yaxes(**axis(range=[-0.02, 1.04], dtick=0.25))
    return figure


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


def transfer(table: pd.DataFrame) -> go.Figure:
    """Draw F1 at each site (across) when the threshold is tuned at each site (down).

    Args:
        table: report.transfer: tuned_at, applied_at, oracle, threshold, f1, why_nan.

    Returns:
        A matrix; cells whose threshold was tuned on an external site's labels are hatched and say "oracle".
    """
    rows, columns = list(dict.fromkeys(table["tuned_at"])), list(dict.fromkeys(table["applied_at"]))
    looks = {
        "frozen": cells.Look("", "#E3F0F0", "#7DBCC0"),
        "oracle": cells.Look("", "#FDF6E8", "#F6DDA6", "/"),
        "undefined": cells.LOOKS["undefined"],
    }
    records = table.to_dict("records")
    frame = pd.DataFrame(
        [
            {
                "row": r["tuned_at"],
                "column": r["applied_at"],
                "kind": ("oracle" if r["oracle"] else "frozen") if words.is_known(r["f1"]) else "undefined",
                "share": r["f1"] if words.is_known(r["f1"]) else 0.0,
                "text": words.number(r["f1"])
                + (" oracle" if r["oracle"] and words.is_known(r["f1"]) else ""),
                "hover": f"tuned at {r['tuned_at']}: cut {words.number(r['threshold'], 3)}<br>applied at "
                f"{r['applied_at']}: F1 {words.number(r['f1'], reason=r['why_nan'])}",
            }
            for r in records
        ]
    )
    return cells.matrix(frame, rows, columns, looks)
