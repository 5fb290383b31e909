"""What is told of a network, in words and as JSON."""

import json

import keras
import numpy as np
import pytest

import ns_tf
from ns_tf.base import InputError
from ns_tf.inspect.explanation import Explanation
from ns_tf.inspect.reading import read

layers = keras.layers


def mixed():
    """A residual stem, a convolution with a softmax, a frozen one behind both."""
    x = image = keras.Input((8, 8, 3), name="image")
    x = stem = layers.Conv2D(13, 3, padding="same", name="stem")(x)
    x = layers.Conv2D(11, 3, padding="same", name="one")(layers.ReLU(name="relu")(x))
    x = layers.Conv2D(13, 3, padding="same", name="two")(x)
    x = layers.Add(name="add")([x, stem])
    x = layers.Conv2D(7, 1, activation="softmax", name="mix")(x)
    x = layers.Conv2D(5, 1, trainable=False, name="held")(x)
    x = layers.GlobalAveragePooling2D(name="average")(x)
    return keras.Model(image, layers.Dense(3, name="logits")(x), name="mixed")


@pytest.fixture(scope="module")
def explained():
    return Explanation.of(read(mixed()))


def test_widths_have_their_layers_and_shares_add_up(explained):
    assert [(one.name, one.filters) for one in explained.widths] == [
        ("two", 13),
        ("one", 11),
    ]
    assert set(explained.widths[0].layers) == {"stem", "two"}
    model = mixed()
    assert explained.total.params == model.count_params()
    assert explained.total.params == sum(
        one.share.params for one in (*explained.widths, *explained.fixed)
    )


def test_what_stays_has_its_reason_and_advice(explained):
    told = {one.layers[0]: (one.reason, one.advice) for one in explained.fixed}
    assert "mixes channels" in told["mix"][0] and "relu" in told["mix"][1]
    assert "'held' is not trainable" in told["held"][0]
    assert told["logits"] == ("it is the model's output", None)
    text = str(explained)
    for words in ("2 widths are free", "mix", "to free it", "What stays", "macs"):
        assert words in text


def test_an_output_that_mixes_channels_needs_no_advice():
    image = keras.Input((3,))
    x = layers.Dense(5, name="hidden")(image)
    end = layers.Dense(2, activation="softmax", name="end")(x)
    (fixed,) = ns_tf.explain(keras.Model(image, end)).fixed
    assert (fixed.reason, fixed.advice) == ("it is the model's output", None)


def test_the_ends_of_budgets_are_networks(explained):
    structure = read(mixed()).structure
    for one in explained.budgets:
        assert one.smallest < one.half < one.own < one.double
        if one.budget == "params":
            widths = np.array(structure.architecture.widths)
            assert one.smallest == structure.params(np.array([1, 1]))
            assert one.half == structure.params(widths // 2)
            assert one.double == structure.params(2 * widths)
            assert one.own == mixed().count_params()


def test_heads_and_their_sizes_are_widths_by_name():
    x = steps = keras.Input((4, 3), name="steps")
    x = layers.MultiHeadAttention(2, 3, name="odd")(layers.Dense(5, name="a")(x), x)
    x = layers.Dense(2)(layers.GlobalMaxPooling1D()(x))
    found = ns_tf.explain(keras.Model(steps, x))
    names = ["odd/heads", "odd/key_dim", "odd/value_dim"]
    assert {*names} <= {one.name for one in found.widths}
    assert "doubled" in str(found)


def test_json_holds_what_is_printed(explained):
    told = json.loads(json.dumps(explained.to_json()))
    assert [one["name"] for one in told["widths"]] == ["two", "one"]
    assert told["total"]["params"] == explained.total.params
    assert {one["budget"] for one in told["budgets"]} >= {"macs", "params"}
    assert "drawing" not in told


@pytest.mark.slow
def test_a_multiple_of_a_width_counts_to_it():
    """An inverted residual's expansion has six channels for each of its input's."""
    found = ns_tf.explain("mobilenet_v2", input_shape=(32, 32, 3), classes=10)
    assert len(found.widths) == 19
    widest = max(found.widths, key=lambda one: len(one.layers))
    assert len(widest.layers) >= 2
    params = next(one for one in found.budgets if one.budget == "params")
    assert found.total.params == params.own


def test_the_picture_is_written_or_refused(explained, tmp_path):
    explained.draw(tmp_path / "net.svg")
    assert (tmp_path / "net.svg").read_text() == explained.svg()
    with pytest.raises(InputError, match="Give another --picture"):
        explained.draw(tmp_path / "none" / "net.svg")
    explained.draw(tmp_path / "net.svg")
    (tmp_path / "mine.keras").write_bytes(b"PK mine")
    with pytest.raises(InputError, match="another kind of file.*another --picture"):
        explained.draw(tmp_path / "mine.keras")
    assert (tmp_path / "mine.keras").read_bytes() == b"PK mine"


def test_lengths_that_are_open_count_as_one_until_they_are_named():
    image = keras.Input((None, None, 3))
    x = keras.layers.Conv2D(5, 3, padding="same", use_bias=False)(image)
    x = keras.layers.GlobalAveragePooling2D()(x)
    model = keras.Model(image, keras.layers.Dense(2)(x))
    macs = {}
    for shape in ((), (7, 11, 3)):
        found = ns_tf.explain(model, input_shape=shape)
        assert found.open == (not shape) == ("count as 1" in str(found))
        macs[shape] = found.total.macs
    assert macs == {(): 27 * 5 + 10, (7, 11, 3): 77 * 27 * 5 + 10}
