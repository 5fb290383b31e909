"""Models written out and times read back: the same device as measuring here."""

import csv

import pytest
from conftest import HANDMADE
from laws import by_law, config

from ns_tf.base import InputError
from ns_tf.measure import elsewhere, runtimes
from ns_tf.measure.elsewhere import TABLE
from ns_tf.measure.survey import Detail, Survey
from ns_tf.measure.work import Measuring
from ns_tf.networks.from_model import from_model
from ns_tf.networks.structure import as_it_is

LAW = runtimes.get("law")


@pytest.fixture(scope="module")
def survey():
    structure = as_it_is(from_model(HANDMADE["chain"]()))
    return Survey.of(structure, (13, 7), Detail(points=3, networks=3))


@pytest.fixture(scope="module")
def written(survey, tmp_path_factory):
    """The table with all times filled in, of what the written files say."""
    folder = tmp_path_factory.mktemp("models")
    path = elsewhere.write(survey, runtimes.get("law"), 2, folder)
    rows = list(csv.DictReader(path.open()))
    assert len(rows) == survey.count + 1 and all(row["ms"] == "" for row in rows)
    for row in rows:
        batch, ms = (folder / row["model"]).read_text().split()
        row["ms"] = str(float(ms) * int(batch))
    return rows


@pytest.fixture
def table(written, tmp_path):
    def save(change=lambda rows: rows):
        rows = change([dict(row) for row in written])
        with (tmp_path / TABLE).open("w") as file:
            writer = csv.DictWriter(file, elsewhere.HEADER, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
        return tmp_path / TABLE

    return save


def test_times_from_elsewhere_make_the_device_that_is_measured_here(
    survey, table, tmp_path
):
    devices = []
    for name, path in (("here", None), ("there", str(table()))):
        settings = config(batch=2, import_=path, machine="a toy")
        largest = survey.network.largest
        work = Measuring(survey.structure, largest, settings, tmp_path / f"{name}.json")
        devices.append(work.run())
    here, there = devices
    for widths in ((13, 7), (5, 3), (1, 1)):
        assert here.ms(widths) == pytest.approx(there.ms(widths), rel=1e-6)


def test_several_rows_of_a_model_are_their_median(survey, table):
    def twice(rows):
        return rows + [{**row, "ms": str(3 * float(row["ms"]))} for row in rows] * 2

    times, whole, empty = elsewhere.read(survey, LAW, 2, table(twice))
    once = elsewhere.read(survey, LAW, 2, table())
    assert empty == pytest.approx(3 * once[2])
    assert times[0].spread.min() > 0 and whole[0] == pytest.approx(3 * once[1][0])


BAD = {
    "no model of this one": lambda rows: [{**rows[0], "model": "x_shape.txt"}, *rows],
    "has holes: 1 of": lambda rows: rows[:4] + rows[5:],
    "the first is": lambda rows: [*rows[:4], {**rows[4], "ms": ""}, *rows[5:]],
    "row 6: expected milliseconds above 0": lambda rows: [
        *rows[:4],
        {**rows[4], "ms": "-1"},
        *rows[5:],
    ],
    "row 2: expected milliseconds": lambda rows: [
        {**rows[0], "ms": "quick"},
        *rows[1:],
    ],
    "by more than noise explains": lambda rows: [
        {**row, "ms": "99"} if "shape01_1_1" in row["model"] else row for row in rows
    ],
}


@pytest.mark.parametrize("told", BAD)
def test_a_table_that_cannot_be_is_refused_in_one_line(survey, table, told):
    with pytest.raises(InputError, match=told) as refusal:
        elsewhere.read(survey, LAW, 2, table(BAD[told]))
    assert "\n" not in str(refusal.value)


def test_times_of_another_batch_or_runtime_are_refused(survey, table):
    told = "of other --runtime, --batch.* is no model"
    with pytest.raises(InputError, match=told):
        elsewhere.read(survey, LAW, 1, table())
    with pytest.raises(InputError, match=told):
        elsewhere.read(survey, runtimes.get("onnx"), 2, table())
    names = {name for batch in (1, 2) for name, *_ in elsewhere.models(survey, batch)}
    assert len(names) == 2 * (1 + survey.count)


def test_models_of_another_batch_are_written_beside_those_that_are_there(
    survey, tmp_path
):
    for batch in (1, 3):
        path = elsewhere.write(survey, LAW, batch, tmp_path)
        for row in list(csv.DictReader(path.open())):
            assert (tmp_path / row["model"]).read_text().startswith(f"{batch} ")
        path.unlink()


@pytest.mark.parametrize("start, end", [(b"\xef\xbb\xbf", b"\n"), (b"", b"")])
def test_a_table_that_a_spreadsheet_saved_is_read(survey, table, start, end):
    expected = elsewhere.read(survey, LAW, 2, table())
    path = table()
    path.write_bytes(start + path.read_bytes().removesuffix(b"\n") + end)
    found = elsewhere.read(survey, LAW, 2, path)
    assert found[1:] == expected[1:]


def test_a_table_that_is_damaged_is_told_as_a_table(survey, table):
    path = table()
    path.write_bytes(path.read_bytes() + b"one,\xff\n")
    with pytest.raises(InputError, match="--write_models.*UTF-8") as refusal:
        elsewhere.read(survey, LAW, 2, path)
    assert "--run_dir" not in str(refusal.value)


def test_an_import_makes_the_folder_and_replaces_nothing(survey, table, tmp_path):
    def importing(path, out, machine="a toy"):
        settings = config(batch=2, import_=str(path), machine=machine)
        largest = survey.network.largest
        return Measuring(survey.structure, largest, settings, out)

    out = tmp_path / "new" / "phone.json"
    first = importing(table(), out).run()
    before = out.read_bytes()
    assert importing(table(), out).run().ms((5, 3)) == first.ms((5, 3))
    with pytest.raises(InputError, match="other settings .machine.*another --out"):
        importing(table(), out, "a phone").run()
    path = table(lambda rows: [*rows[:-1], {**rows[-1], "ms": "7"}])
    with pytest.raises(InputError, match="of other times. Give another --out"):
        importing(path, out).run()
    (tmp_path / "mine.keras").write_bytes(b"mine")
    with pytest.raises(InputError, match="mine.keras.*give another --out"):
        importing(table(), tmp_path / "mine.keras").run()
    assert out.read_bytes() == before
    assert (tmp_path / "mine.keras").read_bytes() == b"mine"


def test_other_columns_are_refused(survey, tmp_path):
    (tmp_path / TABLE).write_text("model,time\na,5\n")
    with pytest.raises(InputError, match="expected model, about, ms, spread"):
        elsewhere.read(survey, LAW, 2, tmp_path / TABLE)


def test_a_table_that_may_be_filled_in_is_not_replaced(survey, tmp_path):
    (tmp_path / TABLE).write_text("mine")
    with pytest.raises(InputError, match="is there already"):
        elsewhere.write(survey, runtimes.get("law"), 1, tmp_path)
    with pytest.raises(InputError, match="runs no files"):
        elsewhere.write(survey, runtimes.get("tf"), 1, tmp_path / "other")
    assert (tmp_path / TABLE).read_text() == "mine" and by_law
