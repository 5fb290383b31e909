"""Networks to export that are not trained, and runtimes inside the test's process."""

import importlib.util
import subprocess
import sys
import types

import keras
import numpy as np

from ns_tf.export import check
from ns_tf.export.formats import Source
from ns_tf.problem import tasks

CLASSES = 7


def network(image_shape, seed=5, classes=CLASSES):
    """A convolution, a batch norm and logits with weights that say something."""
    image = keras.Input(image_shape)
    x = keras.layers.Conv2D(11, 3, strides=2, name="conv")(image)
    x = keras.layers.ReLU(name="relu")(keras.layers.BatchNormalization(name="bn")(x))
    x = keras.layers.GlobalAveragePooling2D(name="average")(x)
    model = keras.Model(image, keras.layers.Dense(classes, name="logits")(x))
    rng = np.random.default_rng(seed)
    model.set_weights(
        [
            rng.uniform(0.1, 1.5, w.shape) - 0.5 * (w.ndim > 1)
            for w in model.get_weights()
        ]
    )
    return model


def source(model=None, image_shape=(16, 13, 3), **fields):
    """A network of that many channels with what belongs to it."""
    rng = np.random.default_rng(3)
    model = model or network(image_shape)
    image_shape = tuple(model.inputs[0].shape[1:])
    channels, classes = image_shape[2], model.outputs[0].shape[-1]
    values = {
        "name": "net",
        "model": model,
        "task": tasks.get("classification"),
        "class_names": tuple(f"class {i}" for i in range(classes)),
        "mean": np.linspace(0.3, 0.6, channels),
        "std": np.linspace(0.2, 0.4, channels),
        "calibration": rng.integers(0, 256, (29, *image_shape), dtype=np.uint8),
    }
    return Source(**{**values, **fields})


def pixels(source, count, seed=11):
    """Images uint8 of the network's size."""
    shape = (count, *source.image_shape)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def answers(source, images):
    """[n, classes]: probabilities of the images by NumPy's softmax of the logits."""
    normal = (images / 255 - source.mean) / source.std
    logits = source.model.predict(normal.astype("float32"), verbose=0)
    powers = np.exp(logits - logits.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def run_here(monkeypatch, only=None):
    """Lets `check.compare` run files in this process: seconds less each.

    `test_every_format_agrees_with_keras_in_its_own_runtime` has processes of their own.

    Args:
        monkeypatch: Of pytest.
        only: Runtimes of which that holds; of all if None.
    """
    kept = {name: sys.modules[name] for name in ("tensorflow", "keras")}

    def module(path):
        spec = importlib.util.spec_from_file_location("own", path)
        made = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(made)
        return made

    def run(command, **options):
        *_, runtime, file, images, out = command
        if only is not None and runtime not in only:
            return subprocess.run(command, **options)
        name = runtime if runtime.endswith(".py") else f"{runtime}.py"
        try:
            runner, own = (module(check.RUNNER.with_name(n)) for n in ("run.py", name))
            count, rows = runner.examples(images)
            answers = runner.named(own.load(file)(rows(0, count)))
        finally:
            sys.modules.update(kept)  # A runtime forbids what it does not need.
        np.savez(out, **answers, ms=np.arange(1.0, 51.0))
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(check, "subprocess", types.SimpleNamespace(run=run))
