"""Arrays of .npz files: read as NumPy reads them, refused where memory would end."""

import io
import zipfile

import numpy as np
import pytest

from ns_tf.base import InputError
from ns_tf.run import npz

ARRAYS = {"a": np.arange(7.0), "b": np.zeros((2, 0, 3), np.uint8), "c": np.array("é")}


def claiming(path, shape):
    """Writes a file of a few bytes whose header says that it has this shape."""
    head = io.BytesIO()
    about = {"descr": "<f4", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(head, about)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", head.getvalue() + bytes(8))
    return path


@pytest.mark.parametrize("write", [np.savez, np.savez_compressed])
def test_arrays_are_those_that_numpy_wrote(tmp_path, write):
    write(tmp_path / "a.npz", **ARRAYS)
    read = npz.read(tmp_path / "a.npz")
    assert read.keys() == ARRAYS.keys()
    for name, array in read.items():
        assert array.dtype == ARRAYS[name].dtype
        np.testing.assert_array_equal(array, ARRAYS[name])


def test_headers_that_claim_too_much_are_refused_at_once(tmp_path):
    with pytest.raises(ValueError, match="not as long as it claims"):
        npz.read(claiming(tmp_path / "a.npz", (2**40,)))


def test_a_bomb_is_refused_before_it_is_read(tmp_path, monkeypatch):
    np.savez_compressed(tmp_path / "a.npz", x=np.zeros(2**20))
    monkeypatch.setattr("ns_tf.run.memory.available", lambda: 2**22)
    with pytest.raises(InputError, match="a.npz holds would take"):
        npz.read(tmp_path / "a.npz")


def test_objects_are_not_read(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.array([{}]))
    with pytest.raises(ValueError):
        npz.read(tmp_path / "a.npz")
