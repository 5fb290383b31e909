"""A network with epitomes in a file."""

import keras
import numpy as np
import pytest

from ns_tf.base import InputError
from ns_tf.condense.config import CondenseConfig
from ns_tf.condense.work import condense

NAMED = {"model": "lenet5", "input_shape": (16, 16, 1), "widths": (5, 7, 11)}


def test_an_architecture_of_any_widths_is_written_and_told(tmp_path):
    path = tmp_path / "small.keras"
    config = CondenseConfig(**NAMED, params=0.6, out=str(path))
    found = condense(config)
    small = keras.models.load_model(path)
    assert small.get_layer("conv2").kernel_size == (5, 5)
    assert found.whole.get_layer("dense1").units == 11
    text = str(found)
    assert "5x5x5x7" in text and f"{found.small.count_params():,}" in text
    again = tmp_path / "again.keras"
    condense(CondenseConfig(**NAMED, params=0.6, out=str(again)))
    weights = keras.models.load_model(again).get_weights()
    pairs = zip(small.get_weights(), weights, strict=True)
    assert all(np.array_equal(*pair) for pair in pairs)


def test_a_file_has_widths_of_its_own_and_nothing_is_written_on_an_error(tmp_path):
    model = keras.Sequential([keras.Input((8,)), *map(keras.layers.Dense, (9, 9, 2))])
    path, out = str(tmp_path / "mine.keras"), tmp_path / "small.keras"
    model.save(path)
    assert condense(CondenseConfig(model=path, params=0.8, out=str(out))).small
    out.unlink()
    for more, told in (
        ({"widths": (5,), "params": 0.8}, "a file has its own"),
        ({"classes": 3, "params": 0.8}, "--classes are of architectures"),
        ({"params": 0.001}, "No epitomes"),
    ):
        with pytest.raises(InputError, match=told):
            condense(CondenseConfig(model=path, out=str(out), **more))
    assert not out.exists()
    with pytest.raises(InputError, match="an architecture has none"):
        condense(CondenseConfig(**NAMED, params=0.6, out=str(out), start="fitted"))


def test_a_network_is_not_written_over_the_one_that_it_is_made_of(tmp_path):
    model = keras.Sequential([keras.Input((8,)), *map(keras.layers.Dense, (9, 9, 2))])
    path, link = tmp_path / "mine.keras", tmp_path / "link.keras"
    model.save(path)
    link.symlink_to(path)
    before = path.read_bytes()
    for out in (path, link):
        with pytest.raises(InputError, match="is --model itself"):
            condense(CondenseConfig(model=str(path), params=0.8, out=str(out)))
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "name", [pytest.param("lenet5", marks=pytest.mark.slow), "lenet5(ratio=0.5)"]
)
def test_a_name_of_an_architecture_is_no_folder_of_that_name(
    name, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).mkdir()
    asked = {"input_shape": (16, 16, 1), "params": 0.6, "out": "small.keras"}
    assert condense(CondenseConfig(model=name, **asked)).whole.get_layer("conv2")


def test_a_model_of_any_size_is_made_for_the_one_that_is_named(tmp_path):
    image = keras.Input((None, None, 3))
    x = keras.layers.Conv2D(8, 3, padding="same", name="conv")(image)
    x = keras.layers.Conv2D(8, 3, padding="same", name="more")(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    keras.Model(image, keras.layers.Dense(2)(x)).save(tmp_path / "mine.keras")
    asked = {"model": str(tmp_path / "mine.keras"), "params": 0.7}
    found = condense(
        CondenseConfig(**asked, input_shape=(7, 11, 3), out=str(tmp_path / "a.keras"))
    )
    assert found.small.input_shape == (None, 7, 11, 3)
