"""What tests of tunings share: one made-up law, and trainings that take no time."""

import pytest
import tunings

from ns_tf.train.job import Job


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
    """The trainings that were asked for; each ends at once.

    A network scores the better the more parameters it has: 1 - 1000 / parameters.
    """
    asked = []

    def run(job, watch=None):
        del watch
        asked.append(job)
        return tunings.result(job, 1 - 1000 / max(1001, job.costs["params"]))

    monkeypatch.setattr(Job, "run", run)
    return asked
