"""The picture of scores: every event, every layer, and slopes with their errors."""

import io

import numpy as np
import pytest

from ns_tf.render import plots, score_plots
from ns_tf.scores import EventScores, Fall

TAU = np.geomspace(1e6, 1e4, 13)


@pytest.fixture
def figures(monkeypatch):
    """The figures that are made."""
    made, make = [], plots.new_figure
    monkeypatch.setattr(
        score_plots, "new_figure", lambda *size: made.append(make(*size)) or made[-1]
    )
    return made


def drawn(removed, layers=3):
    lowest = np.tile(2 * np.asarray(removed)[:, None], layers)
    record = EventScores(np.asarray(removed), lowest, np.ones(len(removed)))
    falls = [(at, Fall(1.5, 0.25, (at / 2, at * 2), 7)) for at in (2e4, 2e5)]
    file = io.BytesIO()
    score_plots.scores(record, TAU, falls, file)
    return file.getvalue()


def test_every_event_and_every_layer_is_drawn(figures):
    assert drawn(TAU**-1.5).startswith(b"\x89PNG")
    upper, lower = figures[0].axes
    assert len(upper.lines) == 4
    np.testing.assert_array_equal(upper.lines[-1].get_xdata(), TAU)
    np.testing.assert_allclose(upper.lines[-1].get_ydata(), TAU**-1.5)
    np.testing.assert_allclose(upper.lines[0].get_ydata(), 2 * TAU**-1.5)
    assert upper.get_xscale() == upper.get_yscale() == "log"
    low, high = lower.containers[0].lines[1]
    assert low.get_ydata().tolist() == [1.25, 1.25]
    assert high.get_ydata().tolist() == [1.75, 1.75]


def test_scores_without_a_logarithm_are_left_out(figures):
    removed = TAU**-1.5
    removed[3] = 0.0
    assert drawn(removed)
    assert np.isnan(figures[0].axes[0].lines[-1].get_ydata()[3])
