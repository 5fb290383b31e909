"""Pictures are whole, whatever the number of layers, rows or trials."""

import io
import json
import sys
import types

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib import figure as mpl_figure
from matplotlib import image
from places import GOLDENS

from ns_tf.base import PruneTrace, ScalingLaw
from ns_tf.render import plots
from ns_tf.scaling.law import fit_law


@pytest.fixture
def texts(monkeypatch):
    """The texts of the figures saved in a test: [(figure, [text])]."""
    saved = []
    save = mpl_figure.Figure.savefig

    def spy(self, *args, **kwargs):
        artists = self.findobj(lambda a: hasattr(a, "get_text"))
        saved.append((self, [artist.get_text() for artist in artists]))
        save(self, *args, **kwargs)

    monkeypatch.setattr(mpl_figure.Figure, "savefig", spy)
    return saved


def _trace(rng, layers: int) -> PruneTrace:
    law = ScalingLaw(rng.uniform(0.5, 2, layers), rng.uniform(0.1, 0.6, layers))
    tau = np.geomspace(1e6, 1e4, 13)
    return PruneTrace(np.ceil(law.widths(tau[:, None])).astype(int), tau)


@pytest.mark.parametrize("layers", [1, 6])
def test_growth_has_a_panel_for_every_layer(layers, rng, texts):
    trace = _trace(rng, layers)
    law = fit_law(trace)
    names = [f"layer_{i}" for i in range(layers)]
    path = io.BytesIO()
    plots.growth(trace, law, names, path)
    figure, found = texts[0]
    assert len(figure.axes) == layers
    titles = [axes.get_title() for axes in figure.axes]
    for title, name, r2 in zip(titles, names, law.r2, strict=True):
        assert name in title
        assert f"{r2:.3f}" in title
    for label in ("law, fitted", "law, extrapolated", "recorded range"):
        assert label in found
    assert image.imread(io.BytesIO(path.getvalue())).shape[2] == 4


def test_growth_shows_every_point_and_panels_of_the_same_span(rng, texts):
    trace = _trace(rng, 3)
    plots.growth(trace, fit_law(trace), list("abc"), io.BytesIO())
    spans = []
    for axes in texts[0][0].axes:
        low, high = axes.get_ylim()
        spans.append(high / low)
        for line in axes.lines:
            assert low < np.min(line.get_ydata()) <= np.max(line.get_ydata()) < high
    np.testing.assert_allclose(spans, spans[0])


@pytest.mark.slow
def test_growth_of_a_published_record_of_19_layers(tmp_path):
    records = json.loads((GOLDENS / "mobilenet_v2_cifar100.json").read_text())
    record = records["iterations"][0]
    trace = PruneTrace(np.array(record["widths"]), np.array(record["tau"]))
    names = [f"a_rather_long_name_of_a_layer_{i}" for i in range(19)]
    plots.growth(trace, fit_law(trace), names, tmp_path / "growth.tmp")
    assert (tmp_path / "growth.tmp").read_bytes().startswith(b"\x89PNG")


def test_growth_takes_a_law_without_its_fit(rng, texts):
    trace = _trace(rng, 2)
    law = fit_law(trace)
    bare = ScalingLaw(law.alpha, law.beta)
    plots.growth(trace, bare, ["a", "b"], io.BytesIO())
    assert "nan" not in " ".join(texts[0][1])


@pytest.mark.parametrize("shape", [(1, 8), (11, 7), (3, 1)])
def test_descent_prints_every_width_of_every_layer(shape, rng, texts):
    widths = rng.integers(1, 2000, shape)
    names = [f"layer_{i}" for i in range(shape[1])]
    path = io.BytesIO()
    plots.descent(widths, names, path)
    found = texts[0][1]
    assert set(names) <= set(found)
    assert {str(width) for width in widths.flat} <= set(found)
    assert path.getvalue().startswith(b"\x89PNG")


def test_figures_leave_pyplot_alone(monkeypatch):
    monkeypatch.delitem(sys.modules, "matplotlib.pyplot", raising=False)
    plots.descent([[3, 5], [5, 7]], ["a", "b"], io.BytesIO())
    assert "matplotlib.pyplot" not in sys.modules


def test_the_colour_of_a_width_is_its_ratio_to_the_first(texts):
    plots.descent([[3, 8], [12, 8], [3, 2]], ["a", "b"], io.BytesIO())
    figure = texts[0][0]
    (picture,) = figure.axes[0].images
    np.testing.assert_allclose(picture.get_array(), [[0, 2, 0], [0, 0, -2]])
    assert picture.get_clim() == (-2, 2)
    assert {"×4", "×1", "×1/4"} <= set(texts[0][1])


def compared(method, accuracies, **costs):
    statistic = (np.mean(accuracies), np.std(accuracies)) if accuracies else None
    return types.SimpleNamespace(
        method=method, accuracies=accuracies, accuracy=statistic, costs=costs
    )


def test_a_comparison_has_a_line_for_each_method_in_order_of_cost(texts):
    rows = [
        compared("ours", (0.5, 0.7), params=7e5),
        compared("ours", (0.4,), params=3e5),
        compared("theirs", (0.3, 0.3), params=5e5),
        compared("failed", (), params=2e5),
    ]
    plots.comparison(rows, "params", io.BytesIO(), caption="a cost, bytes")
    figure, words = texts[0]
    (panel,) = figure.axes
    ours, theirs = (container.lines[0] for container in panel.containers)
    np.testing.assert_allclose(ours.get_xydata(), [[3e5, 40], [7e5, 60]])
    np.testing.assert_allclose(theirs.get_xydata(), [[5e5, 30]])
    assert {"ours", "theirs", "a cost, bytes"} <= set(words)
    assert "failed" not in words
    low, high = panel.get_xlim()
    assert low < 2e5 and 7e5 < high


def test_the_bars_of_a_comparison_are_a_deviation_to_both_sides(texts):
    rows = [compared("ours", (0.5, 0.7, 0.9), macs=11)]
    plots.comparison(rows, "macs", io.BytesIO(), caption="MACs")
    (container,) = texts[0][0].axes[0].containers
    (bar,) = container.lines[2][0].get_segments()
    deviation = 100 * np.std([0.5, 0.7, 0.9])
    np.testing.assert_allclose(bar[:, 1], [70 - deviation, 70 + deviation])


@pytest.mark.parametrize("cost", [2.5, None])
def test_a_comparison_of_failures_alone_is_a_picture_too(cost, texts):
    path = io.BytesIO()
    plots.comparison([compared("failed", (), macs=cost)], "macs", path, caption="MACs")
    assert path.getvalue().startswith(b"\x89PNG") and not texts[0][0].legends


def trial(number, accuracy, front=False, **costs):
    return types.SimpleNamespace(
        trial=f"trial_{number:04}",
        validation_score=accuracy,
        front=front,
        **costs,
    )


def test_the_pareto_front_is_joined_and_numbered(texts):
    rows = [
        trial(12, 0.75, True, params=3000),
        trial(0, 0.5, True, params=1000),
        trial(5, 0.25, params=2000),
        trial(7, None, params=500),
    ]
    plots.pareto(rows, "params", io.BytesIO(), caption="parameters")
    figure, words = texts[0]
    others, front = figure.axes[0].lines[:2]
    np.testing.assert_allclose(others.get_xydata(), [[2000, 25]])
    np.testing.assert_allclose(front.get_xydata(), [[1000, 50], [3000, 75]])
    numbers = [note.get_text() for note in figure.axes[0].texts]
    assert sorted(numbers) == ["0", "12"] and "Pareto front" in words


def test_no_trained_trial_is_a_picture_without_a_legend(texts):
    rows = [trial(1, None, search_steps=3)]
    plots.pareto(rows, "search_steps", io.BytesIO(), caption="steps of the search")
    figure, words = texts[0]
    assert not figure.legends and "steps of the search" in words


def test_pictures_are_svg_on_request(tmp_path):
    plots.descent([[3, 5]], ["a", "b"], tmp_path / "x.tmp", format="svg")
    assert "<svg" in (tmp_path / "x.tmp").read_text()


@pytest.mark.parametrize(("low", "high"), [(3.0, 29.0), (1e5, 8e5), (0.7, 0.9)])
def test_ticks_within_a_decade_are_few_and_round(low, high):
    ticks = plots._round_ticks(low, high)
    assert 2 <= len(ticks) <= 7 and low <= min(ticks) and max(ticks) <= high
    np.testing.assert_allclose(np.diff(ticks), np.diff(ticks)[0])
    assert all(len(f"{tick:.12g}".strip("0.").replace(".", "")) <= 3 for tick in ticks)


@given(st.text("abcdefgh_0123456789", max_size=40))
def test_short_names_keep_their_ends(name):
    short = plots._short(name)
    assert len(short) <= 16 and (short == name) == (len(name) <= 16)
    begin, _, end = short.partition("…")
    assert name.startswith(begin) and name.endswith(end)
