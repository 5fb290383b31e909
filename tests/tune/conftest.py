"""What tests of tunings share: one made-up law, and trainings that take no time."""

import pytest
import tunings


@pytest.fixture(scope="module")
def source(network, tmp_path_factory):
    """A run folder with a made-up law; to be read only."""
    folder = tmp_path_factory.mktemp("law") / "run"
    tunings.law(folder, network)
    return folder


@pytest.fixture
def flagfile(network, tmp_path):
    """A flagfile of the search of that network."""
    path = tmp_path / "small.flags"
    path.write_text(tunings.as_flagfile(tunings.settings(network)))
    return path


@pytest.fixture
def jobs(monkeypatch):
    """The trainings that were asked for; each ends at once (`tunings.instant`)."""
    return tunings.instant(monkeypatch)
