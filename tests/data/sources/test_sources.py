"""Names of data sets: found, suggested, registered by anyone."""

import ast
import inspect
import pathlib

import numpy as np
import pytest
from pictures import in_one_line

from ns_tf.base import InputError
from ns_tf.data import sources
from ns_tf.data.arrays import from_arrays
from ns_tf.data.dataset import SPLITS
from ns_tf.data.sources import SOURCES, Request, existing, load, source


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("cifar11", "Did you mean 'cifar10'"),
        ("digit", "Did you mean 'digits'"),
        ("fashion_mnits", "Did you mean 'fashion_mnist'"),
        ("", "Unknown data set ''"),
        ("tfds:", "Unknown data set"),
        ("a b", "Unknown data set 'a b'"),
        ("foldr:/tmp", "Unknown data set 'foldr:/tmp'"),
        ("digits:8", "digits takes no argument"),
        ("cifar10:9.9.9", "cannot be loaded at version 9.9.9"),
        ("imagenette/zzz", "BuilderConfig zzz not found"),
    ],
)
def test_an_unknown_name_is_refused_with_a_suggestion(tmp_path, offline, name, message):
    with pytest.raises(InputError, match=message) as caught:
        load(name, data_dir=tmp_path)
    in_one_line(caught)


@pytest.mark.parametrize(
    "options", [{"image_size": -1}, {"validation_fraction": 2}, {"seed": 0.5}]
)
def test_load_refuses_options_out_of_range_before_it_reads(options):
    with pytest.raises(InputError, match="got"):
        load("digits", **options)


def test_every_family_registers_a_loader():
    SOURCES.names()
    for path in pathlib.Path(sources.__file__).parent.glob("[!_]*.py"):
        module = f"ns_tf.data.sources.{path.stem}"
        loaders = [SOURCES.get(name) for name in SOURCES.names()]
        assert any(loader.__module__ == module for loader in loaders), module


@pytest.fixture
def registered(monkeypatch):
    """The registry with its members, which are those of before after the test."""
    SOURCES.names()
    monkeypatch.setattr(SOURCES, "_members", dict(SOURCES._members))


def load_noise(request):
    """The example in the docstring of `source`."""
    count = int(request.argument)
    rng = np.random.default_rng(request.seed)
    images = rng.integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)
    return from_arrays(
        (images, np.arange(count) % 2),
        name=request.name,
        image_size=request.image_size,
        validation_fraction=request.validation_fraction,
        seed=request.seed,
    )


def test_anyone_can_register_a_family(registered):
    assert source("speckles")(load_noise) is load_noise
    dataset = load("speckles:40", image_size=7, validation_fraction=0.25, seed=3)
    assert dataset.name == "speckles:40" and dataset.image_shape == (7, 7, 3)
    assert [len(getattr(dataset, key)) for key in SPLITS] == [20, 10, 10]
    assert "speckles" in SOURCES.names()


def test_the_example_of_the_docstring_is_the_one_tested_here():
    shown = inspect.getdoc(source).replace("ns_tf.from_arrays", "from_arrays")
    lines = inspect.getsource(load_noise).splitlines()
    tested = "\n".join(f"    {line}" for line in [lines[0], *lines[2:]])
    assert tested in shown


def test_a_loader_gets_the_request_as_it_was_made(registered):
    source("echo")(lambda request: request)
    request = load("echo:/a:b", data_dir="/c", image_size=7, seed=11)
    assert request == Request("echo:/a:b", "/a:b", "/c", 7, 0.1, 11)
    assert load("echo") == Request("echo")


def test_a_name_is_registered_once(registered):
    with pytest.raises(ValueError, match="'digits' is registered twice"):
        source("digits")(load_noise)
    assert SOURCES.get("digits") is not load_noise


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"image_size": 0}, "--image_size is a whole number of at least 1; got 0"),
        ({"image_size": True}, "got True"),
        ({"validation_fraction": 1}, "--validation_fraction is a number between"),
        ({"seed": -1}, "--split_seed is a whole number of at least 0; got -1"),
        ({"seed": None}, "got None"),
    ],
)
def test_a_request_and_arrays_refuse_the_same_values(options, message):
    with pytest.raises(InputError, match=message) as ours:
        Request("x", **options).check()
    pair = np.zeros((9, 2, 3, 1), np.uint8), np.arange(9) % 3
    with pytest.raises(InputError) as theirs:
        from_arrays(pair, **options)
    assert str(theirs.value) == str(ours.value)


def test_images_become_squares_of_the_size_that_is_asked_for():
    assert Request("x").square() is None
    assert Request("x").square(31) == (31, 31)
    assert Request("x", image_size=7).square(31) == (7, 7)


def test_a_path_exists_or_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert existing("~", "a folder") == tmp_path
    for path in (f"{tmp_path}/none", ""):
        with pytest.raises(InputError, match="Expected a folder at .*there is none"):
            existing(path, "a folder")


def test_arrays_need_no_source():
    path = pathlib.Path(sources.__file__).parents[1] / "arrays.py"
    assert "sources" not in {
        node.module.rpartition(".")[2]
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom)
    }
    assert not hasattr(sources, "from_arrays")
    assert not hasattr(sources, "from_tf_data")
