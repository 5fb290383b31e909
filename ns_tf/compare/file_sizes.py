"""How large the int8 files of a comparison's networks are, by exporting each once."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ns_tf import budgets
from ns_tf.base import InputError
from ns_tf.budgets import Measure
from ns_tf.compare.cells import Cell
from ns_tf.compare.latencies import network_of
from ns_tf.run import files
from ns_tf.run.folder import FLASH
from ns_tf.run.watch import Watch

if TYPE_CHECKING:
    from ns_tf.compare.work import Comparison

_WHAT, _REMEDY = "list of file sizes", "Delete it: it is made anew."


def measured(
    work: "Comparison", cells: Sequence[Cell], watch: Watch
) -> dict[str, int | str]:
    """By network: bytes of its int8 file, or why it has none; each written once.

    Sizes are kept. Reasons are not: another version may write such a file.

    Args:
        work: The comparison.
        cells: No trunks.
        watch: Shows how many files are written.
    """
    known = [cell for cell in cells if work.jobs.widths(cell) is not None]
    sizes: dict[str, int | str] = {**kept(work)}
    missing = {
        name: cell for cell in known if (name := network_of(work, cell)) not in sizes
    }
    with watch.bar(len(missing), label="flash", unit="files") as bar:
        for name, cell in missing.items():
            sizes[name] = _size(work, cell)
            numbers = _numbers(sizes)
            files.write_json(work.folder / FLASH, {"version": 1, "bytes": numbers})
            bar.update(1)
    return sizes


def _size(work: "Comparison", cell: Cell) -> int | str:
    """Bytes of the file of a cell's network, or why there is none."""
    network = work.jobs.exported(cell)
    structure, widths = network or (
        work.jobs.problem_of(cell).structure,
        work.jobs.widths(cell),
    )
    cost = budgets.get("flash").cost(structure, Measure())
    try:
        return int(cost(np.array(widths)))
    except InputError as error:
        return str(error)


def kept(work: "Comparison") -> dict[str, int]:
    """By network: the bytes that `measured` wrote before.

    Raises:
        InputError: the list is damaged.
    """
    path = work.folder / FLASH
    if not path.exists():
        return {}
    with files.readable(path, _WHAT, _REMEDY):
        data = files.read_json(path, what=_WHAT, version=1, remedy=_REMEDY)
        return _numbers(data["bytes"])


def _numbers(sizes: Mapping[str, int | str]) -> dict[str, int]:
    """The sizes without the reasons, which older lists have as well."""
    return {name: size for name, size in sizes.items() if isinstance(size, int)}
