"""Networks of users from search and pruning to files, on real images and signals."""

import exports
import keras
import numpy as np
import pytest

import ns_tf

layers = keras.layers
SEARCH = {
    "iterations": 1,
    "pretrain_epochs": 1,
    "search_batch": 32,
    "steps_per_event": 1,
    "filters_per_event": 2,
    "pretrain_rate": 0.01,
}


def digits():
    """Handwritten digits [400, 16, 16, 1] as bytes, with their classes."""
    split = ns_tf.dataset("digits", image_size=16).train
    return split.images[:400], split.labels[:400]


def conv(x, width, name, strides=1):
    x = layers.Conv2D(
        width, 3, strides, padding="same", use_bias=False, name=f"{name}_conv"
    )(x)
    x = layers.BatchNormalization(momentum=0.8, name=f"{name}_bn")(x)
    return layers.ReLU(name=f"{name}_relu")(x)


def u_net():
    """Dark, gray or bright for each pixel of a digit; what is near a border of two
    classes counts nothing."""
    images, _ = digits()
    light = images[..., 0].astype(int)
    masks = np.digitize(light, [64, 192])
    masks[(abs(light - 64) < 8) | (abs(light - 192) < 8)] = 255
    image = keras.Input((16, 16, 1), name="image")
    fine = conv(image, 8, "fine")
    x = conv(layers.MaxPooling2D(name="pool")(fine), 12, "coarse")
    x = layers.Conv2DTranspose(7, 2, strides=2, name="up")(x)
    x = conv(layers.Concatenate(name="join")([x, fine]), 8, "end")
    return keras.Model(image, layers.Conv2D(3, 1, name="out")(x)), (images, masks)


def sensor():
    """Which of three frequencies two noisy channels have."""
    rng = np.random.default_rng(7)
    kinds, phase = np.arange(300) % 3, rng.uniform(0, 6, (300, 1))
    time = 2 * np.pi * np.arange(40) / 40
    clean = np.sin((2 + 3 * kinds[:, None]) * time + phase)
    noise = rng.normal(scale=0.5, size=(300, 40, 2))
    signals = (20 + 5 * (clean[..., None] + noise)).astype("float32")
    steps = keras.Input((40, 2), name="steps")
    normal = layers.Normalization(name="normal")
    normal.adapt(signals)
    x = layers.Conv1D(8, 5, activation="relu", name="conv")(normal(steps))
    x = layers.MaxPooling1D(name="pool")(x)
    x = layers.GRU(11, name="gru")(x)
    model = keras.Model(steps, layers.Dense(3, "softmax", name="kind")(x))
    return model, (signals, kinds)


def transfer():
    """A frozen backbone within, a scaling in front, a head that learns."""
    inner = image = keras.Input((16, 16, 1))
    for place, width in enumerate((5, 7)):
        inner = conv(inner, width, f"stage{place}", strides=2)
    backbone = keras.Model(image, inner, name="backbone")
    backbone.trainable = False
    photo = keras.Input((16, 16, 1), name="photo")
    x = layers.Rescaling(1 / 127.5, offset=-1, name="scale")(photo)
    x = backbone(x, training=False)
    x = layers.Conv2D(11, 1, activation="relu", name="neck")(x)
    x = layers.Flatten(name="flat")(layers.MaxPooling2D(name="pool")(x))
    x = layers.Dense(13, activation="relu", name="head")(x)
    return keras.Model(photo, layers.Dense(10, name="logits")(x)), digits()


def two():
    """A digit and a table in, its class and the ink that it takes out."""
    images, kinds = digits()
    table = np.random.default_rng(3).normal(size=(len(images), 2)).astype("float32")
    ink = (images.mean((1, 2, 3)) / 255 + table[:, 0]).astype("float32")
    inputs = {
        "image": keras.Input((16, 16, 1), name="image"),
        "table": keras.Input((2,), name="table"),
    }
    x = layers.Flatten(name="flat")(conv(inputs["image"], 5, "stem", strides=4))
    x = layers.Concatenate(name="both")([x, inputs["table"]])
    x = layers.Dense(13, activation="relu", name="body")(x)
    outputs = {
        "kind": layers.Dense(10, "softmax", name="kind")(x),
        "ink": layers.Dense(1, name="ink")(x),
    }
    model = keras.Model(inputs, outputs, name="two")
    losses = {"kind": "sparse_categorical_crossentropy", "ink": "mae"}
    model.compile(loss=losses, metrics={"kind": ["accuracy"]})
    return model, ({"image": images, "table": table}, {"kind": kinds, "ink": ink})


# By network: what makes it and its data, the score, what stays as it is.
CASES = {
    "u_net": (u_net, "mean_iou", ()),
    "sensor": (sensor, "accuracy", ()),
    "transfer": (transfer, "accuracy", ("stage0_conv", "stage1_conv")),
    "two": (two, "kind_accuracy", ()),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_from_a_users_network_to_files(name, tmp_path, monkeypatch):
    exports.run_here(monkeypatch)
    make, score, frozen = CASES[name]
    model, data = make()
    explained = ns_tf.explain(model)
    assert set(frozen) <= {one for part in explained.fixed for one in part.layers}
    search = ns_tf.search(model, data, **SEARCH)
    assert search.problem.task.score.name == score
    plan = search.plan(params=0.8 * explained.total.params)
    made = plan.train(epochs=1, batch=32, rate=0.02)
    small = made.prune(macs=0.9, finetune_epochs=1, finetune_batch=32)
    assert small.costs["macs"] <= small.targets["macs"]
    assert f"{score} on test examples: " in str(small)
    formats = ("keras", "onnx") if name == "sensor" else ("keras", "litert", "onnx")
    if name == "sensor":  # The converter of TensorFlow 2.21 takes no loop over steps.
        with pytest.raises(ns_tf.InputError, match="LiteRT's converter refuses") as e:
            small.export(tmp_path, ("litert",), name=name)
        assert "\n" not in str(e.value) and not list(tmp_path.iterdir())
    for outcome in small.export(tmp_path, formats, name=name, check_images=40):
        assert outcome.agreement == 1 and outcome.largest_difference < 1e-4
    inner = {one.name: one for one in small.model.layers}
    for layer in frozen:
        assert not inner[layer].trainable
