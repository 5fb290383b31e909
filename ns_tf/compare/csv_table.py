"""The table of a comparison as table.csv has it."""

from collections.abc import Sequence
from typing import Any

from ns_tf.compare import stages
from ns_tf.compare.verdicts import Line


def csv_rows(rows: Sequence[Line]) -> tuple[list[str], list[list[Any]]]:
    """Header and rows of table.csv.

    Lists are joined by blanks; what is not there is an empty cell. There are columns of
    stages if a row is of pruned networks.

    Args:
        rows: Of the table.
    """
    pruned = any(row.stages for row in rows)
    flat = stages.flat if pruned else stages.without
    tables = [flat(row.to_json()) for row in rows]
    header = list(tables[0]) if tables else []
    return header, [[_plain(table[name]) for name in header] for table in tables]


def _plain(value: Any) -> Any:
    """A value as a cell of a CSV file.

    >>> _plain((3, 5)), _plain(float("nan"))
    ('3 5', '')
    """
    if isinstance(value, (tuple, list)):
        return " ".join(str(_plain(part)) for part in value)
    return "" if value is None or value != value else value
