"""Transfer learning as people do it: a backbone, a new head, a `Rescaling` in front."""

import keras
import numpy as np
import pytest
from small import CLASSES
from trained import TUNING, pruner

import ns_tf
from ns_tf.data.dataset import Dataset
from ns_tf.engine.runtime import Runtime
from ns_tf.graph.gated import GatedNetwork
from ns_tf.prune.pruned import prune_trained
from ns_tf.prune.source import trained_network
from ns_tf.prune.summary import summary

SIDE = 32
ALPHA = {"MobileNet": 0.25, "MobileNetV2": 0.35}
CUT_AT = {"MobileNet": "conv_pw_2_relu"}  # As people do; and it is quick.
FAST = ["MobileNet"]
HEAVY = ["MobileNetV2", "ResNet50", "ResNet50V2", "DenseNet121", "EfficientNetB0"]
BACKBONES = [*FAST, *(pytest.param(name, marks=pytest.mark.slow) for name in HEAVY)]


@pytest.fixture(scope="module")
def data() -> Dataset:
    """40 images of noise, as bytes."""
    rng = np.random.default_rng(31)
    pixels = rng.integers(0, 256, (40, SIDE, SIDE, 3), dtype=np.uint8)
    return ns_tf.from_arrays((pixels, np.arange(40) % CLASSES))


def transferred(name: str, data: Dataset, *, frozen: bool = False) -> keras.Model:
    """Bytes - `Rescaling` - a backbone called in the model - head; trained a step."""
    size = {"alpha": ALPHA[name]} if name in ALPHA else {}
    backbone = getattr(keras.applications, name)(
        weights=None, include_top=False, input_shape=(SIDE, SIDE, 3), **size
    )
    if name in CUT_AT:
        end = backbone.get_layer(CUT_AT[name]).output
        backbone = keras.Model(backbone.input, end, name=name.lower())
    backbone.trainable = not frozen
    image = keras.Input((SIDE, SIDE, 3))
    x = keras.layers.Rescaling(1 / 127.5, -1.0)(image)
    x = keras.layers.GlobalAveragePooling2D(name="average")(backbone(x))
    x = keras.layers.Dense(23, activation="relu", name="hidden")(x)
    model = keras.Model(image, keras.layers.Dense(CLASSES, name="head")(x), name="mine")
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.01), loss)
    split = data.train
    model.train_on_batch(split.images[:16].astype("float32"), split.labels[:16])
    return model


@pytest.mark.parametrize("name", BACKBONES)
def test_a_backbone_in_a_model_is_halved_exactly_and_trained_on(
    name, data, float64, rng
):
    """What is cut is the masked network, to 1e-10 of its outputs."""
    model = transferred(name, data)
    network = trained_network(model, data)
    assert network.pixels == "given", "the Rescaling takes bytes"
    images = rng.uniform(0, 255, (3, SIDE, SIDE, 3))
    answers = np.array(model(images, training=False))
    flat = np.array(network.model(images, training=False))
    np.testing.assert_allclose(flat, answers, rtol=1e-9, atol=1e-12)
    made = pruner(
        network.model,
        network.problem.dataset,
        method="magnitude",
        repair="none",
        macs=0.5,
        proxy_images=8,
    )
    found = prune_trained(made, TUNING, Runtime())
    assert 0.95 < found.scaling.costs["macs"] / found.own["macs"] / 0.5 <= 1
    assert all(np.isfinite(weight).all() for weight in found.model.get_weights())
    small, _ = made.cut_and_repair(found.keep)
    gated = GatedNetwork(network.model, made.graph)
    masked = np.array(gated.model([images, gated.rows(3, found.keep)], training=False))
    scale = max(1.0, np.abs(masked).max())
    closed = small(images, training=False)
    np.testing.assert_allclose(closed, masked, rtol=0, atol=1e-10 * scale)
    assert not np.allclose(masked, answers, atol=1e-6)
    assert "hidden 23->" in summary(made, found)


@pytest.mark.slow
def test_a_frozen_backbone_keeps_size_and_weights_and_the_reason_is_told(data):
    model = transferred("MobileNet", data, frozen=True)
    mine = ns_tf.trained(model, data)
    cost = mine.problem.structure.params(np.array([13]))
    small = mine.prune(params=int(cost), finetune_epochs=0, proxy_images=8)
    assert small.widths == (13,), "the hidden layer of the head alone"
    (line,) = [x for x in str(small).splitlines() if x.startswith("keep their size")]
    assert "conv1 (layer 'conv1' is not trainable)" in line and " more" in line
    for layer in mine.model.layers:
        if layer.name not in ("hidden", "head"):
            own = small.model.get_layer(layer.name).weights
            for weight, other in zip(layer.weights, own, strict=True):
                np.testing.assert_array_equal(weight, other)
