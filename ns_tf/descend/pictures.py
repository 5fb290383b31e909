"""The pictures of a search: widths over size, scores over size, widths by iteration."""

from pathlib import Path
from typing import BinaryIO

import numpy as np

from ns_tf.base import DescentState
from ns_tf.descend.record import SearchRecord
from ns_tf.render import plots, score_plots
from ns_tf.run import files
from ns_tf.run.folder import PLOTS
from ns_tf.scaling.fall import falls
from ns_tf.scores import Fall


def draw(folder: Path, record: SearchRecord) -> None:
    """Draws the last state's laws with their points, and the widths by iteration.

    Args:
        folder: Of the search; the pictures go below `plots`.
        record: With at least one iteration.
    """
    (folder / PLOTS).mkdir(exist_ok=True)
    state = record.states[-1]
    name = f"growth_{state.iteration:02d}.png"
    with files.replacing(folder / PLOTS / name) as file:
        plots.growth(state.trace, state.law, record.names, file)
    if state.trace.scores is not None:
        name = f"scores_{state.iteration:02d}.png"
        with files.replacing(folder / PLOTS / name) as file:
            draw_scores(record, state, file)
    widths = [s.widths for s in record.states] + [state.scaling.widths]
    with files.replacing(folder / PLOTS / "widths.png") as file:
        plots.descent(widths, record.names, file)


def draw_scores(
    record: SearchRecord, state: DescentState, file: BinaryIO, format: str = "png"
) -> None:
    """Draws the scores of an iteration over the size of the network.

    Args:
        record: Its costs count parameters.
        state: Of the iteration, with scores.
        file: An open binary file.
        format: "png" or "svg".
    """
    tau, slopes = slopes_of(record, state)
    score_plots.scores(state.trace.scores, tau, slopes, file, format=format)


def slopes_of(
    record: SearchRecord, state: DescentState
) -> tuple[np.ndarray, list[tuple[float, Fall]]]:
    """The sizes after the events [events], and the slopes of the scores over them.

    Args:
        record: Its costs count parameters.
        state: Of the iteration, with scores.
    """
    tau = record.costs["params"](state.trace.history).astype(float)
    return tau, falls(state.trace.scores.removed, tau)
