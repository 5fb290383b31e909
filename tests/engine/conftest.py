"""What makes steps and evaluations is tested with graphs as users compute them."""

import pytest


@pytest.fixture(autouse=True, scope="module")
def as_for_users(rewritten):
    """TensorFlow rewrites the graphs of all these tests."""
