"""Figures are PNG files, whatever the number of layers; every layer is in them."""

import io
import json
import pathlib
import sys

import numpy as np
import pytest
from matplotlib import figure as mpl_figure
from matplotlib import image

from ns_tf.base import PruneTrace, ScalingLaw
from ns_tf.render import plots
from ns_tf.scaling.law import fit_law

GOLDENS = pathlib.Path(__file__).parent / "goldens"


@pytest.fixture
def rng():
    return np.random.default_rng(11)


@pytest.fixture
def texts(monkeypatch):
    """The texts of the figures saved in a test: [(figure, [text])]."""
    saved = []
    save = mpl_figure.Figure.savefig

    def spy(self, *args, **kwargs):
        found = [t.get_text() for t in self.findobj(lambda a: hasattr(a, "get_text"))]
        saved.append((self, found))
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
