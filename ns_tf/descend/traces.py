"""The tables of a search, an iteration each.

`trace_NN.csv`, `history_NN.csv`, `scores_NN.csv`, and `filters_NN.csv`.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ns_tf.base import DescentState, PruneTrace
from ns_tf.run import files
from ns_tf.run.folder import FILTERS, HISTORY, SCORES, TRACE
from ns_tf.scores import EventScores, FilterScores

_FILES = {"trace": TRACE, "history": HISTORY, "scores": SCORES, "filters": FILTERS}
_FILTERS = ("set", "score")  # Columns of `FILTERS`.
_SCORES = ("removed", "loss")  # Columns of `SCORES`, after the layers' lowest scores.


def path_of(folder: str | Path, iteration: int, what: str = "trace") -> Path:
    """The path of an iteration's CSV.

    >>> str(path_of("runs/demo", 3, "history"))
    'runs/demo/history_03.csv'

    Args:
        folder: The run folder.
        iteration: From 1.
        what: "trace", the recorded networks; "history", those after every removal;
            "scores", what filters were worth then; "filters", what all of them were
            worth before the first.
    """
    name = _FILES[what]
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
    if trace.whole is not None:
        path = path_of(folder, state.iteration, "filters")
        owner = [n for n, own in enumerate(trace.whole.scores) for _ in own]
        rows = zip(owner, trace.whole.flat.tolist(), strict=True)
        files.write_csv(path, _FILTERS, list(rows))


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
        whole=_read_filters(folder, state),
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


def _read_filters(folder: Path, state: Mapping[str, Any]) -> FilterScores | None:
    """What all filters were worth; None for a search that kept no such scores.

    Args:
        folder: The run folder.
        state: As `descent.json` has it; it says which layers are one set.

    Raises:
        InputError: the file is damaged or missing.
    """
    if "sets" not in state:
        return None
    path = path_of(folder, state["iteration"], "filters")
    header, table = files.read_csv(path, what="list of scores")
    with files.readable(path, "list of scores"):
        sets, widths = np.array(state["sets"]), state["widths"]
        numbers = np.unique(sets).tolist()
        if sets.dtype.kind != "i" or numbers != list(range(len(numbers))):
            raise ValueError(f"sets of layers that are {state['sets']}")
        if tuple(header) != _FILTERS:
            raise ValueError(f"{','.join(header)}; expected {','.join(_FILTERS)}")
        array = np.array(table, float).reshape(-1, len(_FILTERS))
        found = FilterScores.of(sets, array[:, 1], widths)
        owner = [n for n, own in enumerate(found.scores) for _ in own]
        if array[:, 0].tolist() != owner or found.widths.tolist() != widths:
            raise ValueError(f"its sets are not {state['sets']} of widths {widths}")
        if not np.isfinite(array).all():
            raise ValueError("a score that is no number")
    return found
