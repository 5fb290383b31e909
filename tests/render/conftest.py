"""Pictures as they are."""

import pytest


@pytest.fixture(autouse=True, scope="module")
def quick_pictures():
    """Overrides the fixture of all tests: pictures are drawn in full here."""
