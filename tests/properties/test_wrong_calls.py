"""Wrong calls from Python end in one line that says what was expected.

Nothing of TensorFlow, NumPy or Keras shows, whatever the arguments are.
"""

import keras
import numpy as np
import pytest
from toys import toy_architecture, toy_problem, toy_search

import ns_tf
from ns_tf.problem.config import ProblemConfig

X = np.arange(2 * 60 * 64).reshape(60, 8, 8, 2).astype(np.uint8)
Y = np.arange(60) % 5
RAGGED = [[1], [2, 3]]
PAIR = np.array(["a", "b"])


class Thing:
    """An object in the place of something else."""


THING = Thing()


@pytest.fixture(scope="module")
def model():
    x = image = keras.Input((8, 8, 2))
    x = keras.layers.Conv2D(7, 3, activation="relu")(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(image, keras.layers.Dense(5)(x))


@pytest.fixture(scope="module")
def search():
    settings = ProblemConfig(architecture="toy", dataset="noise")
    return ns_tf.Search(
        toy_search(), toy_architecture(), problem=toy_problem(), settings=settings
    )


@pytest.fixture(scope="module")
def plan(search):
    return search.plan(params=2003)


@pytest.fixture(scope="module")
def trained(model):
    return ns_tf.trained(model, (X, Y))


def generator():
    yield from (X, Y)


DATA = {
    "complex numbers": (X.astype(complex), Y),
    "text": (X.astype(str), Y),
    "records": (np.zeros(60, [("a", int)]), Y),
    "beyond 32 bits": (X.astype(np.uint64) + 2**40, Y),
    "dates": (X, Y.astype("datetime64[s]")),
    "text targets": (X, np.array(["a"] * 60)),
    "object targets": (X, np.array([THING] * 60)),
    "NaN targets": (X, np.full(60, np.nan)),
    "900,000 classes": (X, np.r_[Y[1:], 899_999]),
    "no example": (X[:0], Y[:0]),
    "no array": ((), Y),
    "no array by name": ({}, Y),
    "ragged": (RAGGED, [0, 1]),
    "ragged by name": ({"a": RAGGED}, Y),
    "ragged targets": (X, [*RAGGED, *RAGGED] * 15),
    "ragged weights": (X, Y, RAGGED),
    "text weights": (X, Y, "abc"),
    "numbers": (3, 5),
    "None": None,
    "half None": (None, Y),
    "a generator": generator(),
    "an object": THING,
}


@pytest.mark.parametrize("what", DATA)
def test_data_of_another_kind_are_refused(model, what):
    with pytest.raises(ns_tf.InputError) as caught:
        ns_tf.search(model, DATA[what], pretrain_epochs=0)
    assert "\n" not in str(caught.value)
    with pytest.raises(ns_tf.InputError):
        ns_tf.trained(model, DATA[what])


CALLS = {
    "search(model=)": lambda made: ns_tf.search(THING, (X, Y)),
    "search(model class)": lambda made: ns_tf.search(keras.Model, (X, Y)),
    "search(run_dir=)": lambda made: ns_tf.search(run_dir=THING),
    "search(run_dir of several)": lambda made: ns_tf.search(run_dir=PAIR),
    "search(run_dir too long)": lambda made: ns_tf.search(run_dir="a" * 300),
    "search(run_dir NUL)": lambda made: ns_tf.search(run_dir="a\0b"),
    "search(run_dir no text)": lambda made: ns_tf.search(run_dir="\udcff"),
    "search(progress=)": lambda made: ns_tf.Watch(progress=5),
    "search(keep=)": lambda made: ns_tf.search(keep=THING),
    "search(seed=)": lambda made: ns_tf.search(seed=2**40),
    "search(ratio=)": lambda made: ns_tf.search(ratio=np.ones(3)),
    "search(task=)": lambda made: ns_tf.search(task=THING),
    "search(widths=)": lambda made: ns_tf.search(widths="ab"),
    "load": lambda made: ns_tf.load(None),
    "load(too long)": lambda made: ns_tf.load("a" * 5000),
    "plan(method=)": lambda made: made("search").plan(params=60, method=THING),
    "plan(params=)": lambda made: made("search").plan(params="many"),
    "plan(round_to=)": lambda made: made("search").plan(params=60, round_to=1.5),
    "plan(refine=)": lambda made: made("search").plan(params=60, refine=PAIR),
    "compare(run_dir=)": lambda made: made("search").compare(run_dir=THING),
    "report(path=)": lambda made: made("search").report(THING),
    "build(method=)": lambda made: made("plan").build("inherit", method=THING),
    "build(weights=)": lambda made: made("plan").build(PAIR),
    "train(epochs=)": lambda made: made("plan").train(epochs=10**12),
    "train(name=)": lambda made: made("plan").train(run_dir="x", name=THING),
    "train(rate_drops=)": lambda made: made("plan").train(rate_drops=5),
    "trained(model=)": lambda made: ns_tf.trained(THING, (X, Y)),
    "trained(pixels=)": lambda made: ns_tf.trained(made("model"), (X, Y), pixels=PAIR),
    "prune(method=)": lambda made: made("trained").prune(params=0.5, method=THING),
    "prune(run_dir=)": lambda made: made("trained").prune(params=0.5, run_dir=THING),
    "export(out_dir=)": lambda made: made("trained").export(THING),
    "export(formats=)": lambda made: made("trained").export("x", THING),
    "export(format)": lambda made: made("trained").export("x", [5]),
    "export(device)": lambda made: made("trained").export("/dev/null", ["keras"]),
    "epitomise(start=)": lambda m: ns_tf.epitomise(m("model"), params=0.5, start=PAIR),
    "epitomise(sampling=)": lambda made: ns_tf.epitomise(
        made("model"), params=0.5, sampling=PAIR
    ),
    "explain": lambda made: ns_tf.explain(THING),
    "explain(input_shape=)": lambda made: ns_tf.explain("vgg11", input_shape=5),
    "explain(too large)": lambda made: ns_tf.explain("vgg11", classes=10**15),
    "explain().draw": lambda made: ns_tf.explain(made("model")).draw(THING),
    "dataset": lambda made: ns_tf.dataset(THING),
    "dataset(image_size=)": lambda made: ns_tf.dataset("digits", image_size=10**6),
    "dataset(data_dir=)": lambda made: ns_tf.dataset("cifar10", data_dir=THING),
    "from_arrays": lambda made: ns_tf.from_arrays(None),
    "from_arrays(class_names=)": lambda m: ns_tf.from_arrays((X, Y), class_names=THING),
    "from_arrays(class_weight=)": lambda m: ns_tf.from_arrays((X, Y), class_weight=5),
    "from_arrays(name=)": lambda made: ns_tf.from_arrays((X, Y), name=THING),
    "from_tf_data": lambda made: ns_tf.from_tf_data(THING),
    "toy.build(0-d)": lambda made: toy_architecture().build(
        np.array(7), input_shape=(8, 8, 2), classes=5
    ),
    "from_model": lambda made: ns_tf.from_model(THING),
    "analyse": lambda made: ns_tf.analyse(THING, (8, 8, 1), 5),
    "ScaledHyperModel": lambda made: ns_tf.ScaledHyperModel(THING),
}


@pytest.mark.parametrize("call", CALLS)
def test_arguments_of_another_kind_are_refused(request, tmp_path, monkeypatch, call):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ns_tf.InputError) as caught:
        CALLS[call](request.getfixturevalue)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())
