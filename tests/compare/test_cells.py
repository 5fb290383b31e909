"""The list of cells in a comparison's folder."""

import dataclasses
import json

import pytest
from edits import text_of
from places import ROOT
from toys import toy_setting

from ns_tf.base import InputError
from ns_tf.compare import cells, listing
from ns_tf.compare.cells import SCRATCH, TRUNK, Cell, CellList, Kept
from ns_tf.run import files

NOTHING = Kept({}, (), None)
TASK = {"dataset": "digits"}
FINISHED = sorted((ROOT / "docs" / "runs").glob("*/cells.json"))


def listed(*texts):
    settings = [toy_setting(text) for text in texts]
    return listing.make(settings, ["params=2003"], (3,), NOTHING, TASK, {})


def test_a_network_is_told_by_its_epitomes_too():
    plain = Cell("x", "", "", 0, "toy", (3, 5), SCRATCH)
    one, other = (
        dataclasses.replace(plain, epitomes={"a": {"epitome": [n]}}) for n in (1, 2)
    )
    assert len({plain.network, one.network, other.network}) == 3
    assert plain.network == "toy" and one.network.startswith("toy@epitomes-")
    assert plain.shown and not dataclasses.replace(plain, kind=TRUNK).shown


def test_gaps_are_sentences(tmp_path):
    files.write_json(tmp_path / "cells.json", listed("uniform").to_json())
    assert cells.read_gaps(tmp_path) == []
    plan = dataclasses.replace(listed("uniform"), gaps=(("a", "macs=0.5", "no b"),))
    files.write_json(tmp_path / "cells.json", plan.to_json())
    assert cells.read_gaps(tmp_path) == ["a at macs=0.5: no b"]


def test_a_list_of_cells_is_read_as_written(tmp_path):
    first = listed("uniform", "li_l1", "epitome:learned")
    second = listing.make(
        [toy_setting("uniform")],
        ["params=2003"],
        (3, 5),
        Kept(first.asked, tuple(first.asked), TASK),
        TASK,
        {"methods": ["uniform"]},
    )
    files.write_json(tmp_path / "cells.json", second.to_json())
    known = cells.read_kept(tmp_path)
    assert known.cells == {**second.others, **second.asked}
    assert known.asked == tuple(second.asked) and known.task == second.task
    assert known.wanted == {"methods": ["uniform"]}
    assert cells.read(tmp_path) == second.asked


@pytest.mark.parametrize("path", FINISHED, ids=lambda path: path.parent.name)
def test_a_finished_list_is_written_byte_by_byte_as_it_is(path, tmp_path):
    known, data = cells.read_kept(path.parent), json.loads(path.read_text())
    plan = CellList(
        asked=cells.read(path.parent),
        others={n: c for n, c in known.cells.items() if n not in known.asked},
        gaps=tuple(tuple(gap) for gap in data["gaps"]),
        task=known.task,
        wanted=known.wanted,
    )
    files.write_json(tmp_path / "cells.json", plan.to_json())
    assert text_of(tmp_path / "cells.json") == text_of(path)


def test_a_folder_of_nothing_knows_nothing(tmp_path):
    assert cells.read_kept(tmp_path) == NOTHING
    with pytest.raises(InputError, match="no list of cells"):
        cells.read(tmp_path)


@pytest.mark.parametrize("text", ["", "[]", '{"version": 2}', '{"version": 1}'])
def test_a_damaged_list_is_refused_and_named(tmp_path, text):
    (tmp_path / "cells.json").write_text(text)
    with pytest.raises(InputError, match="cells.json"):
        cells.read_kept(tmp_path)


def test_a_cell_that_is_asked_for_has_to_be_in_the_list(tmp_path):
    data = listed("uniform").to_json()
    files.write_json(tmp_path / "cells.json", {**data, "asked": ["other"]})
    with pytest.raises(InputError, match="asked for is not in it"):
        cells.read(tmp_path)
