"""A picture of what filters were worth along a search."""

from collections.abc import Iterable

import numpy as np

from ns_tf.render.plots import Target, new_figure
from ns_tf.scores import EventScores, Fall


def scores(
    record: EventScores,
    tau: np.ndarray,
    falls: Iterable[tuple[float, Fall]],
    path: Target,
    *,
    format: str = "png",
) -> None:
    """Draws scores over size, and below them the local exponent of their fall.

    Both axes of the upper panel are logarithmic, so that a power law is a straight
    line. Scores of 0 or less are left out.

    Args:
        record: Scores of all events.
        tau: Parameters after the events [events].
        falls: (tau, slope of the scores near it).
        path: A path or an open binary file.
        format: "png" or "svg".
    """
    figure = new_figure(6.4, 5.2)
    upper, lower = figure.subplots(
        2, 1, sharex=True, gridspec_kw={"height_ratios": (3, 1)}
    )
    lowest = np.where(record.lowest > 0, record.lowest, np.nan)
    for layer in range(lowest.shape[1]):
        label = "lowest that stayed, each layer" if layer == 0 else None
        upper.plot(tau, lowest[:, layer], lw=0.6, color="0.75", label=label)
    removed = np.where(record.removed > 0, record.removed, np.nan)
    upper.plot(tau, removed, ".", ms=4, color="C0", label="highest removed")
    upper.set_xscale("log")
    upper.set_yscale("log")
    upper.set_ylabel("score", fontsize=9)
    falls = list(falls)
    lower.errorbar(
        [at for at, _ in falls],
        [fall.exponent for _, fall in falls],
        yerr=[fall.error for _, fall in falls],
        marker="o",
        ms=3,
        lw=1,
        capsize=2,
        color="C3",
    )
    lower.set_ylabel("p", fontsize=9)
    lower.set_xlabel(r"$\tau$: trainable parameters", fontsize=10)
    figure.legend(loc="outside upper center", ncols=2, frameon=False, fontsize=9)
    figure.savefig(path, format=format, dpi=130)
