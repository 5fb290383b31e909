"""Pictures of searches and comparisons, as PNG or SVG.

Each function draws one picture and writes it to a path or an open binary file. They
draw with Matplotlib's Agg directly: no display, no pyplot, nothing global. Matplotlib
is imported at the first picture.
"""

import itertools
import math
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, BinaryIO, Protocol

import numpy as np

from ns_tf.base import PruneTrace, ScalingLaw

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Target = str | os.PathLike | BinaryIO  # Where a picture goes.

_BEYOND = 4.0  # The law is drawn to this factor outside the recorded tau.


class ComparedRow(Protocol):
    """What `comparison` reads of `ns_tf.compare.verdicts.Line`."""

    method: str
    costs: Mapping[str, float | None]  # By axis.
    accuracies: Sequence[float]  # [seeds], 0 to 1; empty if every training failed.
    accuracy: tuple[float, float]  # Mean and standard deviation over the seeds.


class TrialRow(Protocol):
    """What `pareto` reads of `ns_tf.tune.leaderboard.Place`, besides the axis."""

    trial: str  # Ends in the number of the trial: "trial_0012".
    front: bool  # Whether no other trial is better in both.
    validation_score: float | None  # None while it is not trained.


def growth(
    trace: PruneTrace,
    law: ScalingLaw,
    names: Sequence[str],
    path: Target,
    *,
    format: str = "png",
) -> None:
    """Draws every layer's width over tau, log-log: the record, and the fitted law.

    ln phi_l = ln alpha_l + beta_l ln tau is a straight line of slope beta_l. All panels
    span the same ratio of widths, so that slopes can be compared by eye. The recorded
    range is shaded; outside of it the law is dashed.

    Args:
        trace: widths [steps, layers] over tau [steps].
        law: Fitted to the trace.
        names: Of the layers [layers].
        path: A path or an open binary file.
        format: "png" or "svg".
    """
    layers = len(names)
    columns = min(layers, 4 if layers <= 8 else 5)
    rows = math.ceil(layers / columns)
    figure = new_figure(2.5 * columns + 0.6, 2.05 * rows + 1.0)
    panels = figure.subplots(rows, columns, sharex=True, squeeze=False).flat
    limits = _limits(trace, law)
    for layer, panel in enumerate(panels):
        if layer >= layers:
            panel.remove()
            continue
        _draw_layer(panel, trace, law, layer)
        panel.set_ylim(limits[layer])
        title = f"{_short(names[layer])}  $\\beta$ {law.beta[layer]:.2f}"
        if law.r2 is not None:
            title += f"  $R^2$ {law.r2[layer]:.3f}"
        panel.set_title(title, fontsize=8)
        # The last row may be short: the panel above a gap has labels too.
        panel.tick_params(labelbottom=layer + columns >= layers, labelsize=7.5)
    figure.supxlabel(r"$\tau$: trainable parameters", fontsize=10)
    figure.supylabel("width: filters of the layer", fontsize=10)
    handles, labels = next(iter(figure.axes)).get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside upper center", ncols=4, frameon=False, fontsize=9
    )
    figure.savefig(path, format=format, dpi=130)


def descent(
    widths_by_iteration: np.ndarray | Sequence[Sequence[int]],
    names: Sequence[str],
    path: Target,
    *,
    format: str = "png",
) -> None:
    """Draws widths by iteration as a table in colours.

    A cell holds the width; its colour is the base-2 logarithm of its ratio to the width
    of iteration 1, red where it grew and blue where it shrank.

    Args:
        widths_by_iteration: Whole widths [iterations, layers].
        names: Of the layers [layers].
        path: A path or an open binary file.
        format: "png" or "svg".
    """
    widths = np.asarray(widths_by_iteration)
    iterations, layers = widths.shape
    change = np.log2(widths / widths[:1]).T  # [layers, iterations]
    span = max(1.0, np.abs(change).max())
    figure = new_figure(max(3.0, 0.5 * iterations) + 2.4, 0.27 * layers + 1.1)
    panel = figure.subplots()
    image = panel.imshow(
        change, cmap="RdBu_r", vmin=-span, vmax=span, aspect="auto", origin="upper"
    )
    for layer in range(layers):
        for i in range(iterations):
            dark = abs(change[layer, i]) > 0.55 * span
            panel.text(
                i,
                layer,
                str(widths[i, layer]),
                ha="center",
                va="center",
                fontsize=8,
                color="white" if dark else "black",
            )
    panel.set_xticks(range(iterations), range(1, iterations + 1), fontsize=8)
    panel.set_yticks(range(layers), [_short(name) for name in names], fontsize=8)
    panel.tick_params(length=0)
    panel.spines[:].set_visible(False)
    panel.set_xlabel("iteration of architecture descent", fontsize=9)
    panel.set_title("Width: filters of each layer", fontsize=10)
    ticks = np.arange(-math.floor(span), math.floor(span) + 1)
    ticks = ticks[:: max(1, len(ticks) // 7)]
    bar = figure.colorbar(image, ax=panel, ticks=ticks, pad=0.02)
    bar.ax.set_yticklabels([_times(tick) for tick in ticks], fontsize=8)
    bar.set_label("width relative to iteration 1", fontsize=9)
    bar.outline.set_visible(False)
    figure.savefig(path, format=format, dpi=130)


def comparison(
    rows: Sequence[ComparedRow],
    axis: str,
    path: Target,
    *,
    caption: str,
    label: str = "accuracy, %",
    scale: float = 100.0,
    format: str = "png",
) -> None:
    """Draws test scores over a cost, a line for each method.

    A point is the mean over the seeds, its bar one standard deviation up and down.
    Rows of which every training failed are left out.

    Args:
        rows: A method at a budget each.
        axis: The cost, a key of the costs of rows, all of which have it.
        path: A path or an open binary file.
        caption: Name and unit of the cost.
        label: Name and unit of the score.
        scale: Factor from a score of rows to what is shown.
        format: "png" or "svg".
    """
    figure = new_figure(6.4, 4.2)
    panel = figure.subplots()
    markers = itertools.cycle("osD^vP*X<>")
    for method in dict.fromkeys(row.method for row in rows if row.accuracies):
        line = [row for row in rows if row.method == method and row.accuracies]
        line.sort(key=lambda row: row.costs[axis])
        statistics = scale * np.array([row.accuracy for row in line])
        panel.errorbar(
            [row.costs[axis] for row in line],
            statistics[:, 0],
            yerr=statistics[:, 1],
            label=method,
            marker=next(markers),
            ms=5,
            lw=1.2,
            capsize=3,
        )
    known = [cost for row in rows if (cost := row.costs.get(axis)) is not None]
    _cost_axis(panel, known, caption)
    panel.set_ylabel(f"test {label}", fontsize=9)
    if panel.containers:  # Empty if every training failed.
        figure.legend(loc="outside upper center", ncols=3, frameon=False, fontsize=9)
    figure.savefig(path, format=format, dpi=130)


def pareto(
    rows: Sequence[TrialRow],
    axis: str,
    path: Target,
    *,
    caption: str,
    label: str = "accuracy, %",
    scale: float = 100.0,
    format: str = "png",
) -> None:
    """Draws validation scores over a cost, a point for each trained trial.

    A step line joins the Pareto front, whose points bear the numbers of their trials.

    Args:
        rows: A trial each.
        axis: The attribute of a row that is the cost: "params" or "search_steps".
        path: A path or an open binary file.
        caption: Name and unit of the cost.
        label: Name and unit of the score.
        scale: Factor from a score of rows to what is shown.
        format: "png" or "svg".
    """
    figure = new_figure(6.4, 4.2)
    panel = figure.subplots()
    done = [row for row in rows if row.validation_score is not None]
    for front, style in ((False, "o"), (True, "o-")):
        some = sorted(
            (row for row in done if row.front == front),
            key=lambda row: getattr(row, axis),
        )
        panel.plot(
            [getattr(row, axis) for row in some],
            [scale * row.validation_score for row in some],
            style,
            color="C3" if front else "0.6",
            ms=5,
            lw=1.2,
            drawstyle="steps-post",
            label="Pareto front" if front else "other trials",
        )
    for row in done:
        if row.front:
            place = (getattr(row, axis), scale * row.validation_score)
            number = row.trial.rpartition("_")[2].lstrip("0") or "0"
            panel.annotate(
                number, place, (4, 4), textcoords="offset points", fontsize=8
            )
    _cost_axis(panel, [getattr(row, axis) for row in done], caption)
    panel.set_ylabel(f"validation {label}", fontsize=9)
    if done:
        figure.legend(loc="outside upper center", ncols=2, frameon=False, fontsize=9)
    figure.savefig(path, format=format, dpi=130)


def _cost_axis(panel: "Axes", values: Sequence[float], label: str) -> None:
    """Makes the horizontal axis a logarithmic one of a cost, over a light grid.

    Ticks are powers of ten, or round numbers where the values span less than a decade.
    """
    from matplotlib import ticker

    panel.set_xscale("log")
    if values and max(values) < 10 * min(values):
        low, high = min(values) / 1.25, max(values) * 1.25
        panel.set_xlim(low, high)
        panel.set_xticks(_round_ticks(low, high))
        panel.xaxis.set_minor_locator(ticker.NullLocator())
    panel.xaxis.set_major_formatter(ticker.EngFormatter(sep=""))
    panel.set_xlabel(label, fontsize=9)
    panel.tick_params(labelsize=8)
    panel.grid(color="0.9", lw=0.7)
    panel.set_axisbelow(True)
    panel.spines[["top", "right"]].set_visible(False)


def _round_ticks(low: float, high: float) -> list[float]:
    """A few round numbers from `low` to `high`.

    >>> [float(tick) for tick in _round_ticks(80_000, 390_000)]
    [100000.0, 200000.0, 300000.0]
    """
    from matplotlib import ticker

    ticks = ticker.MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
    return [tick for tick in ticks if low <= tick <= high]


def _draw_layer(panel: "Axes", trace: PruneTrace, law: ScalingLaw, layer: int) -> None:
    """Draws a panel of `growth`: points, law and recorded range of one layer."""
    from matplotlib import ticker

    tau, beyond = _ranges(trace)
    panel.axvspan(tau[0], tau[-1], color="0.93", lw=0, label="recorded range")
    recorded = np.asarray(trace.widths)[:, layer]
    panel.plot(trace.tau, recorded, ".", ms=3.5, color="C0", label="recorded width")
    width = law.widths(beyond[:, None])[:, layer]
    panel.plot(beyond, width, "--", lw=1, color="C3", label="law, extrapolated")
    width = law.widths(tau[:, None])[:, layer]
    panel.plot(tau, width, lw=1.4, color="C3", label="law, fitted")
    panel.set_xscale("log")
    panel.set_yscale("log", base=2)
    panel.set_xlim(beyond[0], beyond[-1])
    panel.yaxis.set_major_locator(ticker.LogLocator(base=2, numticks=6))
    panel.yaxis.set_major_formatter(ticker.FuncFormatter(lambda w, _: f"{w:g}"))
    panel.minorticks_off()  # Of 19 panels they take most of the drawing time.
    panel.spines[["top", "right"]].set_visible(False)


def _ranges(trace: PruneTrace) -> tuple[np.ndarray, np.ndarray]:
    """tau [50] over the recorded range, and over `_BEYOND` times that to both sides."""
    low, high = float(np.min(trace.tau)), float(np.max(trace.tau))
    return np.geomspace(low, high), np.geomspace(low / _BEYOND, high * _BEYOND)


def _limits(trace: PruneTrace, law: ScalingLaw) -> np.ndarray:
    """Limits of width [layers, 2] that hold all that is drawn.

    The ratio of the two limits is the same for all layers: the largest that any needs.
    """
    drawn = law.widths(_ranges(trace)[1][:, None])  # [points, layers]
    drawn = np.log(np.concatenate([drawn, trace.widths]))
    low, high = drawn.min(axis=0), drawn.max(axis=0)
    margin = 1.1 * (high - low).max() / 2 + 0.1
    middle = (low + high) / 2
    return np.exp(np.stack([middle - margin, middle + margin], axis=1))


def new_figure(width: float, height: float) -> "Figure":
    """An empty figure of this size in inches, with a canvas of Agg."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _short(name: str) -> str:
    """The name, its middle left out if it is longer than 16 characters.

    >>> _short("block3_expansion_conv"), _short("conv1")
    ('block3…sion_conv', 'conv1')
    """
    return name if len(name) <= 16 else f"{name[:6]}…{name[-9:]}"


def _times(octaves: float) -> str:
    """A power of two as a factor.

    >>> _times(2), _times(0), _times(-2)
    ('×4', '×1', '×1/4')
    """
    return f"×{2**octaves:g}" if octaves >= 0 else f"×1/{2**-octaves:g}"
