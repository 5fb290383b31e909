"""Files: they come back bit by bit, whole or not at all, without pickle."""

import json
import os
import signal

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ns_tf.base import InputError
from ns_tf.run import files
from ns_tf.run.folder import open_run

# fsync makes examples slow; the files of one test may be those of the last example.
few = settings(
    max_examples=50,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
finite = st.floats(allow_nan=False, allow_infinity=False)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | finite | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=17,
)


@pytest.fixture(autouse=True)
def no_fsync(monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda number: None)


def bits(array):
    return array.dtype.str, array.shape, array.tobytes()


@few
@given(value=values)
def test_json_is_read_as_written(value, tmp_path):
    value = {"value": value}
    files.write_json(tmp_path / "a.json", value)
    # repr tells -0.0 from 0.0, and 1 from 1.0 and True.
    assert repr(files.read_json(tmp_path / "a.json", what="record")) == repr(value)


@few
@given(array=hnp.arrays(np.float64, 7, elements=finite))
def test_floats_of_json_keep_every_bit(array, tmp_path):
    files.write_json(tmp_path / "a.json", {"alpha": array, "one": array[0]})
    value = files.read_json(tmp_path / "a.json", what="record")
    assert bits(np.array(value["alpha"])) == bits(array)
    assert np.float64(value["one"]).tobytes() == array[0].tobytes()


def test_json_keeps_the_order_and_takes_numpy_values(tmp_path):
    value = {"z": np.int64(3), "a": np.bool_(True), "m": np.float32(0.1)}
    files.write_json(tmp_path / "a.json", value)
    read = files.read_json(tmp_path / "a.json", what="record")
    assert list(read.items()) == [("z", 3), ("a", True), ("m", float(np.float32(0.1)))]


@pytest.mark.parametrize("bad", [np.nan, [np.inf], np.array([1, np.nan])])
def test_json_refuses_what_is_no_number(bad, tmp_path):
    with pytest.raises(ValueError, match="would not be JSON"):
        files.write_json(tmp_path / "a.json", {"a": bad})
    assert list(tmp_path.iterdir()) == []


def test_json_refuses_what_it_has_no_word_for(tmp_path):
    with pytest.raises(TypeError, match="Expected numbers, text"):
        files.write_json(tmp_path / "a.json", {"a": object()})


@few
@given(
    rows=st.lists(
        st.tuples(
            st.integers(),
            st.floats(),
            st.text(st.characters(codec="utf-8", categories=["L"]), min_size=4),
        )
    )
)
def test_tables_are_read_as_written(rows, tmp_path):
    rows = [row for row in rows if row[2].lower() not in ("infinity", "nan", "inf")]
    header = ["block0, first", 'tau "x"', "line\nbreak"]
    files.write_csv(tmp_path / "a.csv", header, rows)
    read_header, read = files.read_csv(tmp_path / "a.csv")
    assert read_header == header
    assert repr(read) == repr([list(row) for row in rows])


def test_tables_keep_the_bits_of_float32_and_the_text_of_names(tmp_path):
    row = [np.float32(0.1), np.int32(5), "1_000", ""]
    files.write_csv(tmp_path / "a.csv", list("abcd"), [row])
    assert files.read_csv(tmp_path / "a.csv")[1] == [
        [float(np.float32(0.1)), 5, "1_000", ""]
    ]


def test_tables_of_uneven_rows_are_refused(tmp_path):
    with pytest.raises(ValueError, match="rows of 2 values"):
        files.write_csv(tmp_path / "a.csv", ["a", "b"], [[1, 2], [3]])
    assert list(tmp_path.iterdir()) == []


kinds = st.sampled_from(["f4", "f8", "f2", "i4", "i8", "u1", "?", "c8"])


@few
@given(
    arrays=st.dictionaries(
        st.text("abc/.: é", min_size=1),
        hnp.arrays(kinds, hnp.array_shapes(min_dims=0, min_side=0, max_side=3)),
        max_size=3,
    ),
    meta=st.dictionaries(st.text(), values, max_size=3),
)
def test_arrays_are_read_as_written(arrays, meta, tmp_path):
    files.write_arrays(tmp_path / "a.npz", arrays, meta)
    read, read_meta = files.read_arrays(tmp_path / "a.npz")
    assert repr(read_meta) == repr(meta)
    assert {name: bits(array) for name, array in read.items()} == {
        name: bits(array) for name, array in arrays.items()
    }


def test_arrays_are_an_ordinary_npz_and_the_same_bytes_each_time(tmp_path):
    arrays = {"kernel": np.arange(7.0), "file": np.int64(3)}
    for name in ("a.npz", "b.npz"):
        files.write_arrays(tmp_path / name, arrays, {"step": 5})
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    with np.load(tmp_path / "a.npz", allow_pickle=False) as archive:
        assert bits(archive["kernel"]) == bits(arrays["kernel"])
        assert json.loads(str(archive["__meta__"])) == {"step": 5}


@pytest.mark.parametrize(
    "name, array",
    [("a", np.array([{}])), ("a", np.zeros(3, "V2")), ("__meta__", np.zeros(3))],
)
def test_arrays_that_would_not_come_back_are_refused(name, array, tmp_path):
    with pytest.raises(ValueError):
        files.write_arrays(tmp_path / "a.npz", {name: array}, {})
    assert list(tmp_path.iterdir()) == []


WRITERS = {
    "text": lambda path, k: files.write_text(path, f"{k}\n" * 31),
    "json": lambda path, k: files.write_json(path, {"version": 1, "k": [k] * 31}),
    "csv": lambda path, k: files.write_csv(path, ["a", "b"], [[k, 0.5]] * 31),
    "npz": lambda path, k: files.write_arrays(path, {"a": np.full(31, k)}, {"k": k}),
}
READERS = {
    "json": lambda path: files.read_json(path, what="record", version=1),
    "csv": lambda path: files.read_csv(path, what="record"),
    "npz": lambda path: files.read_arrays(path, what="record"),
}


@pytest.mark.parametrize("broken", ["fsync", "replace"])
@pytest.mark.parametrize("kind", WRITERS)
def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(
    kind, broken, tmp_path, monkeypatch
):
    path = tmp_path / "file"
    WRITERS[kind](path, 1)
    old = path.read_bytes()

    def fail(*arguments):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, broken, fail)
        with pytest.raises(OSError, match="No space left"):
            WRITERS[kind](path, 2)
    assert path.read_bytes() == old
    assert list(tmp_path.iterdir()) == [path]
    WRITERS[kind](path, 2)
    assert path.read_bytes() != old


@pytest.mark.parametrize("call", ["fsync", "replace"])
@pytest.mark.parametrize("kind", WRITERS)
def test_a_kill_amid_a_write_leaves_the_old_file(kind, call, tmp_path):
    folder = tmp_path / "run"
    open_run(folder, [], "search").close()
    WRITERS[kind](folder / "file", 1)
    old = (folder / "file").read_bytes()
    child = os.fork()
    if child == 0:  # It dies before the call does anything.
        setattr(os, call, lambda *arguments: os.kill(os.getpid(), signal.SIGKILL))
        WRITERS[kind](folder / "file", 2)
        os._exit(0)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    assert (folder / "file").read_bytes() == old
    assert list(folder.glob(".file.*"))
    open_run(folder, [], "search").close()
    assert not list(folder.glob(".file.*"))


@pytest.mark.parametrize("kind", READERS)
def test_a_cut_file_is_refused_wherever_it_was_cut(kind, tmp_path):
    path = tmp_path / "file"
    WRITERS[kind](path, 1)
    whole = path.read_bytes()
    # JSON without its last newline is whole.
    for length in range(0, len(whole) - 1, max(1, len(whole) // 61)):
        path.write_bytes(whole[:length])
        with pytest.raises(InputError, match="damaged") as caught:
            READERS[kind](path)
        assert str(path) in str(caught.value)
        assert "--run_dir" in str(caught.value)


def test_a_flipped_bit_in_an_array_is_refused(tmp_path):
    path = tmp_path / "file"
    files.write_arrays(path, {"a": np.arange(7.0)}, {})
    whole = bytearray(path.read_bytes())
    whole[bytes(whole).index(np.arange(1.0, 3.0).tobytes()) + 3] ^= 4
    path.write_bytes(whole)
    with pytest.raises(InputError, match="damaged.*CRC"):
        files.read_arrays(path)


@pytest.mark.parametrize("kind", READERS)
def test_a_missing_file_is_named(kind, tmp_path):
    with pytest.raises(InputError, match=r"no record at .*file.*another --run_dir"):
        READERS[kind](tmp_path / "file")


def test_pickles_are_not_read(tmp_path):
    np.savez(tmp_path / "a.npz", a=np.array([{}]))
    with pytest.raises(InputError, match="damaged"):
        files.read_arrays(tmp_path / "a.npz")


@pytest.mark.parametrize("text", ["[]", '{"a": NaN}', "\xff"])
def test_json_that_is_something_else_is_refused(text, tmp_path):
    (tmp_path / "a.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match="damaged"):
        files.read_json(tmp_path / "a.json", what="record", version=1)


@pytest.mark.parametrize("value", [{"version": 2}, {"a": 1}])
def test_json_of_another_version_is_refused(value, tmp_path):
    files.write_json(tmp_path / "a.json", value)
    with pytest.raises(InputError, match=r"a\.json is a record of version .* reads"):
        files.read_json(tmp_path / "a.json", what="record", version=1)
