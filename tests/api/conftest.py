"""One search of a user's model, for all tests of what follows from it."""

import pytest
from notebooks import OPTIONS, mine

import ns_tf
from ns_tf.data import sources
from ns_tf.data.tf_data import in_order


@pytest.fixture(scope="package")
def digits():
    """400 digits of 8 x 8, in the order that a `tf.data.Dataset` of them gets."""
    whole = sources.load("digits", image_size=8).train
    return in_order(whole.images[:400], whole.labels[:400])


@pytest.fixture(scope="package")
def model():
    return mine()


@pytest.fixture(scope="package")
def run_dir(tmp_path_factory):
    return tmp_path_factory.mktemp("api") / "run"


@pytest.fixture(scope="package")
def search(model, digits, run_dir):
    """The search of the user's model on arrays."""
    return ns_tf.search(model, digits, run_dir=run_dir, **OPTIONS)
