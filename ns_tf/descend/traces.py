"""The tables of a search: `trace_NN.csv`, `history_NN.csv` and `scores_NN.csv`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ns_tf.base import DescentState, EventScores, PruneTrace
from ns_tf.run import files
from ns_tf.run.folder import HISTORY, SCORES, TRACE

_SCORES = ("removed", "loss")  # Columns of `SCORES`, after the layers' lowest scores.


def path_of(folder: str | Path, iteration: int, what: str = "trace") -> Path:
    """The path of an iteration's CSV.

    >>> str(path_of("runs/demo", 3, "history"))
    'runs/demo/history_03.csv'

    Args:
        folder: The run folder.
        iteration: From 1.
        what: "trace", the recorded networks; "history", those after every removal; or
            "scores", what filters were worth then.
    """
    name = {"trace": TRACE, "history": HISTORY, "scores": SCORES}[what]
    return Path(folder) / name.format(iteration)


def write(folder: Path, state: DescentState) -> None:
    """Writes the trace, with a column tau, the history, and the scores of a state."""
    trace = state.trace
    rows = np.column_stack([trace.widths, trace.tau]).tolist()
    header = [*trace.names, "tau"]
    files.write_csv(path_of(folder, state.iteration), header, rows)
    path = path_of(folder, state.iteration, "history")
    files.write_csv(path, trace.names, trace.history.tolist())
    scores = trace.scores
    if scores is not None:
        rows = np.column_stack([scores.lowest, scores.removed, scores.loss]).tolist()
        path = path_of(folder, state.iteration, "scores")
        files.write_csv(path, [*trace.names, *_SCORES], rows)


def read(folder: Path, state: Mapping[str, Any], names: Sequence[str]) -> PruneTrace:
    """The trace and the history of a state, from their files.

    Args:
        folder: The run folder.
        state: As `descent.json` has it; it says how many rows the files have.
        names: Of the layers, which are the columns.

    Raises:
        InputError: a file is missing or damaged.
    """
    tables = {}
    for what, columns, rows in (
        ("trace", [*names, "tau"], state["rows"]),
        ("history", [*names], state["events"]),
    ):
        path = path_of(folder, state["iteration"], what)
        header, table = files.read_csv(path, what=what)
        with files.readable(path, what):
            if list(header) != columns or len(table) != rows:
                raise ValueError(
                    f"{len(table)} rows of {len(header)} columns; expected {rows} rows "
                    f"of {','.join(columns)}"
                )
            if not all(isinstance(cell, int) for row in table for cell in row):
                raise ValueError("a value that is no whole number")
        tables[what] = np.array(table, int).reshape(-1, len(columns))
    trace = tables["trace"]
    return PruneTrace(
        trace[:, :-1],
        trace[:, -1],
        tuple(names),
        tables["history"],
        _read_scores(folder, state, names),
    )


def _read_scores(
    folder: Path, state: Mapping[str, Any], names: Sequence[str]
) -> EventScores | None:
    """The scores of a state's events; None for a search that kept none.

    Args:
        folder: The run folder.
        state: As `descent.json` has it; it says how many rows the file has.
        names: Of the layers.

    Raises:
        InputError: the file is damaged, or missing although scores were kept.
    """
    path = path_of(folder, state["iteration"], "scores")
    # Older records do not say whose scores they are, nor whether there are any.
    if state.get("criterion") is None and not path.exists():
        return None
    columns, rows = [*names, *_SCORES], state["events"]
    header, table = files.read_csv(path, what="scores")
    with files.readable(path, "scores"):
        if header != columns or len(table) != rows:
            raise ValueError(
                f"{len(table)} rows of {','.join(header)}; expected {rows} rows of "
                f"{','.join(columns)}"
            )
        array = np.array(table, float).reshape(-1, len(columns))
    parts = array[:, -2], array[:, :-2], array[:, -1]
    return EventScores(*parts, state.get("criterion"))
