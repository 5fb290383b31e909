"""table.csv: columns of stages only where something is pruned."""

from ns_tf.compare.csv_table import csv_rows
from ns_tf.compare.verdicts import Line
from ns_tf.prune.pruner import STAGES


def line(**others):
    return Line("a", "macs=3", (3, 5), {"macs": 5}, (0.5,), (0.5,), (7.0,), **others)


def test_stages_have_columns_where_a_row_has_them():
    plain, _ = csv_rows([line()])
    staged = line(
        stages={name: (0.25, 0.75) for name in STAGES}, stage_seconds={"cut": (3.0,)}
    )
    header, rows = csv_rows([line(), staged])
    assert header[: len(plain)] == plain and csv_rows([]) == ([], [])
    told = [dict(zip(header, row, strict=True)) for row in rows]
    assert [row["stage_repaired"] for row in told] == ["", "0.25 0.75"]
    assert [row["seconds_cut"] for row in told] == ["", "3.0"]
