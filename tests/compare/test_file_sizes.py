"""Int8 files are written once a network, on request, and their sizes are kept."""

import dataclasses

import pytest
from toys import toy_comparison, trained

from ns_tf.base import InputError
from ns_tf.budgets import flash
from ns_tf.compare import file_sizes, outcome
from ns_tf.run import files
from ns_tf.run.watch import Watch


@pytest.fixture
def compared(tmp_path, monkeypatch):
    """(a comparison of one network, its cells, the widths that were exported)."""
    written = []

    def sizes_of(structure, write):
        def cost(widths):
            written.append(tuple(widths.tolist()))
            return 1000 + int(widths.sum())

        return cost

    monkeypatch.setattr(flash, "sizes_of", sizes_of)
    work = toy_comparison(
        tmp_path, seeds=(3, 5), measure_flash=True, solver={"latency_repeats": 1}
    )
    with work:
        listed = work.prepare()
    return work, listed, written


def test_a_network_is_exported_once_and_its_size_kept(compared):
    work, listed, written = compared
    (cell, _) = listed.values()
    for _ in range(2):
        found = file_sizes.measured(work, list(listed.values()), Watch())
        assert found == file_sizes.kept(work)
    assert written == [cell.widths]
    assert list(found.values()) == [1000 + sum(cell.widths)]


def test_the_table_has_the_size_where_it_is_asked_for(compared):
    work, listed, _ = compared
    for cell in listed.values():
        trained(work, cell, 0.5)
    text = outcome.write(work, listed)
    size = 1000 + sum(cell.widths)
    assert "| flash, bytes |" in text and f"| {size:,} |" in text
    work.compare = dataclasses.replace(work.compare, measure_flash=False)
    assert "| flash, bytes |" not in outcome.write(work, listed)


def test_a_network_that_cannot_be_exported_has_a_reason_that_is_not_kept(
    compared, monkeypatch
):
    work, listed, written = compared

    def refuse(structure, measure):
        def cost(widths):
            raise InputError("LiteRT's converter refuses the network.")

        return cost

    member = file_sizes.budgets.get("flash")
    member = dataclasses.replace(member, cost=refuse)
    monkeypatch.setattr(file_sizes.budgets, "get", lambda name: member)
    (found,) = file_sizes.measured(work, list(listed.values()), Watch()).values()
    assert "refuses" in found and file_sizes.kept(work) == {}


def test_a_list_with_reasons_is_read_and_a_damaged_one_is_one_line(compared):
    work, _, _ = compared
    path = work.folder / "flash.json"
    files.write_json(path, {"version": 1, "bytes": {"a 3": 1013, "a 5": "Older."}})
    assert file_sizes.kept(work) == {"a 3": 1013}
    files.write_json(path, {"version": 1})
    with pytest.raises(InputError, match="list of file sizes .*flash.json is damaged"):
        file_sizes.kept(work)
