"""What all tests share: two CPU devices, seeded generators, small networks."""

import functools
import gc
import importlib
import os
import shutil
import signal
import sys
import time
import typing
from pathlib import Path
from unittest import mock

# Before TensorFlow is imported; as the commands have it.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
# Before NumPy is. Its matrices are small here, and threads that wait for each other
# took many times as long as the products, with a process of tests for every core.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import hypothesis
import keras
import numpy as np
import pytest
import tensorflow as tf
from absl import flags
from keras.src.backend.common import global_state
from keras.src.trainers import trainer
from verbs import SMOKE, configs_of

from ns_tf import cli
from ns_tf.engine import execution
from ns_tf.render import plots, score_plots
from ns_tf.run import flags as run_flags

# Two devices, so that a strategy with two replicas can run anywhere. They have to be
# there before TensorFlow starts.
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0],
    [tf.config.LogicalDeviceConfiguration()] * 2,
)

tf.random.set_seed(31)  # Once: see `pytest_runtest_setup`.

# What a shell starts in the background ignores Ctrl-C, and so would what tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# A suite that passed passes again: properties try the same examples each time, however
# slow the machine. `pytest --hypothesis-profile=explore` tries others.
hypothesis.settings.register_profile("check", deadline=None, derandomize=True)
hypothesis.settings.register_profile("explore", deadline=None)
hypothesis.settings.load_profile("check")

# TensorFlow asks before every operation whether arguments are of a protocol. Python
# 3.11 finds the members of the protocol again each time; later versions keep them.
if sys.version_info[:2] == (3, 11):
    typing._get_protocol_attrs = functools.cache(typing._get_protocol_attrs)

layers = keras.layers


def rewrite_graphs(rewritten: bool) -> None:
    """Whether TensorFlow rewrites the graphs of functions before they are computed."""
    tf.config.optimizer.set_experimental_options(
        {"disable_meta_optimizer": not rewritten}
    )


def pytest_configure(config):
    """Quick tests compute graphs as they were traced, which changes rounding at most.

    What is rewritten here is computed a few times, and rewriting takes a quarter of the
    time of a small training. It stays on in slow tests, in `tests/engine` and in the
    processes that tests start.
    """
    config.rewritten = "not slow" not in config.option.markexpr
    rewrite_graphs(config.rewritten)
    if not config.rewritten:
        # Nor does XLA compile what Keras itself fits or predicts, nor does anything
        # wait for the disk.
        trainer.model_supports_jit = lambda model: False
        os.fsync = lambda number: None


@pytest.fixture(scope="module")
def rewritten(request):
    """Graphs are rewritten in the tests of this module, as they are for users."""
    rewrite_graphs(True)
    yield
    rewrite_graphs(request.config.rewritten)


def pytest_collection_finish(session):
    """The garbage collector leaves TensorFlow and the tests themselves alone.

    Tracing makes many objects. At Python's own thresholds the collector would walk over
    all that was imported again and again: a fifth of the suite's time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 10, 10)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    """Weights, flips, and whatever else Keras draws are those of the last time.

    A hook, for it has to come before fixtures of every scope. TensorFlow's own seed
    stays: Keras does not draw by it, and setting it empties the cache of kernels.
    """
    with mock.patch.object(tf.random, "set_seed"):
        keras.utils.set_random_seed(31)


@pytest.fixture(autouse=True, scope="session")
def memory_stays():
    """`forget_kernels` does not walk over all that tests hold.

    `test_rebuilds_leave_no_memory_behind` measures, in a process of its own, that it
    frees memory.
    """
    with (
        mock.patch.object(execution, "gc"),
        mock.patch.object(execution, "ctypes"),
        mock.patch.object(global_state, "gc"),  # Keras's `clear_session`.
    ):
        yield


@pytest.fixture(autouse=True, scope="module")
def quick_pictures():
    """Pictures are made, not drawn; in `tests/render` they are.

    Files hold the points of their lines, so pictures of other figures are other files.
    """
    make = plots.new_figure

    def sketch(width, height):
        figure = make(width, height)

        def save(target, format, **_):
            points = [
                line.get_xydata().tolist() for one in figure.axes for line in one.lines
            ]
            text = (
                f"<svg xmlns='http://www.w3.org/2000/svg'><desc>{points}</desc></svg>"
            )
            signature = b"\x89PNG" if format == "png" else b""
            write = getattr(target, "write", None) or Path(target).write_bytes
            write(signature + text.encode())

        figure.savefig = save
        return figure

    with (
        mock.patch.object(plots, "new_figure", sketch),
        mock.patch.object(score_plots, "new_figure", sketch),
    ):
        yield


@pytest.fixture(scope="module")
def hasty():
    """Workers in this process ask for their next piece of work at once."""
    from ns_tf.crew import trials, work  # Late: they import keras-tuner.

    with mock.patch.object(trials, "PAUSE", 0), mock.patch.object(work, "PAUSE", 0):
        yield


@pytest.fixture
def rng():
    return np.random.default_rng(31)


@pytest.fixture(autouse=True)
def keras_state():
    """Gives Keras back the precision and the layout that it had."""
    floatx, policy = keras.config.floatx(), keras.config.dtype_policy()
    layout = keras.config.image_data_format()
    yield
    keras.config.set_floatx(floatx)
    keras.config.set_dtype_policy(policy)
    keras.config.set_image_data_format(layout)


@pytest.fixture
def float64(keras_state):
    """Networks built in this test compute in double precision."""
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")


class Clock:
    """A clock that the test turns."""

    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    """What this process takes for `time.monotonic`."""
    clock = Clock()
    monkeypatch.setattr(time, "monotonic", clock)
    return clock


@pytest.fixture
def rebuilds(monkeypatch):
    """A list that grows by the channels of each network that pruning rebuilds."""
    from ns_tf.prune.network import PrunableNetwork  # Late: few tests need it.

    seen = []
    compact = PrunableNetwork.compact

    def counted(self, keep):
        compact(self, keep)
        seen.append(int(self.present.sum()))

    monkeypatch.setattr(PrunableNetwork, "compact", counted)
    return seen


@pytest.fixture
def handmade():
    """Builders of small networks by name: what joins and splits channels, each once."""
    return HANDMADE


@pytest.fixture
def randomise(rng):
    """Gives a model weights that are all different; most of its ReLUs stay alive."""

    def fill(model: keras.Model) -> keras.Model:
        for layer in model.layers:
            for weight in layer.weights:
                shape = weight.shape
                if weight.name == "moving_variance":
                    value = rng.uniform(0.5, 2, shape)
                elif weight.name == "gamma":
                    value = rng.uniform(0.5, 1.5, shape) * rng.choice([-1, 1], shape)
                elif weight.name == "beta":
                    value = rng.normal(0.5, 0.3, shape)
                else:
                    value = rng.normal(size=shape)
                    value /= np.sqrt(max(1, np.prod(shape[:-1])))
                weight.assign(value)
        return model

    return fill


def _bn(x, name: str):
    return layers.BatchNormalization(name=name)(x)


def _conv(x, filters: int, name: str, size: int = 3, **options):
    return layers.Conv2D(filters, size, padding="same", name=name, **options)(x)


def _image():
    return keras.Input((6, 7, 3), name="image")


def _classify(image, x) -> keras.Model:
    x = layers.GlobalAveragePooling2D(name="average")(x)
    return keras.Model(image, layers.Dense(5, name="logits")(x))


def chain() -> keras.Model:
    """image - a[13] - BN - ReLU - b[7] - BN - ReLU - average - logits."""
    x = image = _image()
    for name, filters in (("a", 13), ("b", 7)):
        x = layers.ReLU(name=f"{name}_relu")(_bn(_conv(x, filters, name), f"{name}_bn"))
    return _classify(image, x)


def no_norm() -> keras.Model:
    """image - a[11] - ReLU - b[7] - sigmoid - c[5] - average - logits."""
    x = image = _image()
    x = layers.ReLU(name="a_relu")(_conv(x, 11, "a"))
    x = layers.Activation("sigmoid", name="b_sigmoid")(_conv(x, 7, "b"))
    return _classify(image, _conv(x, 5, "c", activation="tanh"))


def norm_last() -> keras.Model:
    """image - a[11] - ReLU - BN - b[7] - ReLU - BN - average - logits."""
    x = image = _image()
    for name, filters in (("a", 11), ("b", 7)):
        x = _bn(layers.ReLU(name=f"{name}_relu")(_conv(x, filters, name)), f"{name}_bn")
    return _classify(image, x)


def concat() -> keras.Model:
    """
    image -+- a[13] - BN -+- concat - ReLU - c[7] - BN - average - logits
           +- b[23] ------+
    """
    image = _image()
    a, b = _bn(_conv(image, 13, "a"), "a_bn"), _conv(image, 23, "b")
    x = layers.ReLU(name="relu")(layers.Concatenate(name="concat")([a, b]))
    return _classify(image, _bn(_conv(x, 7, "c"), "c_bn"))


def dense_block() -> keras.Model:
    """As DenseNet begins, with the image itself carried on.

    image -+- a[11] -+- concat - BN - ReLU - b[7] - BN - ReLU - average - logits
           +---------+
    """
    image = _image()
    x = layers.Concatenate(name="concat")([image, _conv(image, 11, "a")])
    x = layers.ReLU(name="relu")(_bn(x, "concat_bn"))
    x = layers.ReLU(name="b_relu")(_bn(_conv(x, 7, "b"), "b_bn"))
    return _classify(image, x)


def flatten() -> keras.Model:
    """image - a[11] - BN - ReLU - pool - flatten - hidden[13] - ReLU - logits."""
    image = _image()
    x = layers.ReLU(name="relu")(_bn(_conv(image, 11, "a"), "a_bn"))
    x = layers.Flatten(name="flatten")(layers.MaxPooling2D(2, name="pool")(x))
    x = layers.Dense(13, activation="relu", name="hidden")(x)
    return keras.Model(image, layers.Dense(5, name="logits")(x))


def depthwise() -> keras.Model:
    """image - a[7] - BN - depthwise (2 outputs each) - BN - ReLU - b[11] - logits."""
    image = _image()
    x = _bn(_conv(image, 7, "a"), "a_bn")
    x = layers.DepthwiseConv2D(3, depth_multiplier=2, name="depthwise")(x)
    x = layers.ReLU(name="relu")(_bn(x, "depthwise_bn"))
    return _classify(image, _conv(x, 11, "b"))


def operators() -> keras.Model:
    """Written with `+` and `keras.ops`, which are operations and no layers.

    image -+- a[11] - relu -+- (+) - c[7] - relu6 - average - logits
           +- b[11] --------+
    """
    image = _image()
    a, b = keras.ops.relu(_conv(image, 11, "a")), _conv(image, 11, "b")
    return _classify(image, keras.ops.relu6(_conv(a + b, 7, "c")))


def residual() -> keras.Model:
    """A post-activation block: its additions tie all three convolutions.

    image - a[11] - BN - ReLU -+- b[13] - BN - ReLU - c[11] - BN - add - ReLU - logits
                               +----------------------------------+
    """
    image = _image()
    x = layers.ReLU(name="a_relu")(_bn(_conv(image, 11, "a"), "a_bn"))
    y = layers.ReLU(name="b_relu")(_bn(_conv(x, 13, "b"), "b_bn"))
    y = _bn(_conv(y, 11, "c"), "c_bn")
    return _classify(image, layers.ReLU(name="relu")(layers.Add(name="add")([y, x])))


def excite() -> keras.Model:
    """Squeeze and excite: a[11] times (its average - squeeze[3] - back[11])."""
    image = _image()
    x = layers.ReLU(name="a_relu")(_bn(_conv(image, 11, "a"), "a_bn"))
    s = layers.GlobalAveragePooling2D(keepdims=True, name="squeeze_average")(x)
    s = layers.Dense(3, activation="relu", name="squeeze")(s)
    s = layers.Dense(11, name="back")(s)
    s = layers.Activation("sigmoid", name="sigmoid")(s)
    x = layers.Multiply(name="multiply")([x, s])
    return _classify(image, _conv(x, 7, "b"))


def shared() -> keras.Model:
    """One convolution, twice[11], reads a[11] and what it made of it."""
    image = _image()
    twice = layers.Conv2D(11, 3, padding="same", name="twice")
    x = layers.ReLU(name="a_relu")(_conv(image, 11, "a"))
    x = layers.ReLU(name="first_relu")(twice(x))
    x = layers.ReLU(name="second_relu")(twice(x))
    return _classify(image, _conv(x, 7, "b"))


HANDMADE = {
    builder.__name__: builder
    for builder in (
        chain,
        no_norm,
        norm_last,
        concat,
        dense_block,
        flatten,
        depthwise,
        residual,
        excite,
        shared,
        operators,
    )
}


# Commands, run inside this process.


@pytest.fixture(scope="session")
def flags_of():
    """A context with the verb's flags in absl's global set, which is left clean."""

    class Defined:
        def __init__(self, verb):
            self.configs = configs_of(verb)

        def __enter__(self):
            self.before = set(flags.FLAGS)
            for config in self.configs:
                run_flags.define(config)
            return self.configs

        def __exit__(self, *exception):
            flags.FLAGS.unparse_flags()
            for name in set(flags.FLAGS) - self.before:
                delattr(flags.FLAGS, name)

    return Defined


@pytest.fixture(scope="session")
def status(flags_of):
    """Runs a verb as `python -m ns_tf.verb` does, up to its exit code."""

    def status(verb, *arguments):
        main = importlib.import_module(f"ns_tf.{verb}.__main__").main
        argv, signums = sys.argv, (signal.SIGINT, signal.SIGTERM)
        handlers = {signum: signal.getsignal(signum) for signum in signums}
        sys.argv = [verb, *map(str, arguments)]
        try:
            with flags_of(verb) as configs:
                return cli._status(main, configs)
        finally:
            sys.argv = argv
            for signum, handler in handlers.items():
                signal.signal(signum, handler)

    return status


@pytest.fixture
def command(status, capfd):
    """Runs a verb: exit code, standard output, standard error."""

    def command(verb, *arguments):
        capfd.readouterr()
        return status(verb, *arguments), *capfd.readouterr()

    return command


@pytest.fixture(scope="session")
def network(tmp_path_factory):
    """`--architecture` of a small saved model for the digits, of 16 x 16 pixels."""
    x = image = keras.Input((16, 16, 1))
    for i, width in enumerate((19, 23), 1):
        x = layers.Conv2D(width, 3, strides=2, name=f"conv{i}")(x)
        x = layers.BatchNormalization(name=f"bn{i}")(x)
        x = layers.ReLU(name=f"relu{i}")(x)
    x = layers.GlobalAveragePooling2D(name="average")(x)
    model = keras.Model(image, layers.Dense(10, name="logits")(x))
    path = tmp_path_factory.mktemp("network") / "small.keras"
    model.save(path)
    return f"--architecture=keras:{path}"


@pytest.fixture(scope="session")
def searched(status, tmp_path_factory):
    """A run folder with a finished search; to be read only."""
    folder = tmp_path_factory.mktemp("searched") / "run"
    assert status("descend", *SMOKE, f"--run_dir={folder}") == 0
    return folder


@pytest.fixture
def copied(searched, tmp_path):
    """A copy of that run folder, to be damaged."""
    return Path(shutil.copytree(searched, tmp_path / "copied"))
