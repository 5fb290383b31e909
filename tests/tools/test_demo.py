"""The demonstration: the whole way in one command."""

import json

import pytest
import toolbox
from places import ROOT
from verbs import SMOKE

from ns_tf.run.flagfile import from_flagfile


@pytest.fixture
def demo(tmp_path, monkeypatch):
    """The script, its search and its trainings as short as they get."""
    with toolbox.scripts() as script:
        module = script("demo")
        text = (ROOT / "flags" / "smoke.flags").read_text()
        flagfile = tmp_path / "demo.flags"
        flagfile.write_text("\n".join([text, *SMOKE[1:]]))
        monkeypatch.setattr(module, "FLAGFILE", flagfile)
        short = {"epochs": 1, "batch": 700, "rate": 0.05}
        monkeypatch.setattr(module, "RATIO", 0.03)
        monkeypatch.setattr(module, "RECIPE", type(module.RECIPE)(**short))
        yield module


@pytest.mark.slow
def test_it_searches_plans_and_trains_two_networks_of_one_size(demo, tmp_path, capfd):
    folder = tmp_path / "run"
    assert toolbox.status(demo, f"--run_dir={folder}") == 0
    first = capfd.readouterr().out
    rows = [json.loads(p.read_text()) for p in folder.glob("train/*/result.json")]
    assert len(rows) == 2
    sizes = [row["params"] for row in rows]
    assert max(sizes) <= 1.05 * min(sizes)
    for row in rows:
        widths = ",".join(map(str, row["widths"]))
        (line,) = [text for text in first.splitlines() if text.endswith(widths)]
        assert f" {row['params']:,} " in line
        assert f"{100 * row['test_accuracy']:.2f} %" in line
    # The same command again has nothing left to do, and says the same.
    assert toolbox.status(demo, f"--run_dir={folder}") == 0
    again = capfd.readouterr().out
    assert again.split("Took")[0] == first.split("Took")[0]


def test_its_own_flagfile_is_a_search():
    with toolbox.scripts() as script:
        module = script("demo")
        configs = module._search_configs()
    text = module.FLAGFILE.read_text()
    assert all(from_flagfile(kind, text) == one for kind, one in configs.items())
    assert any(one != kind() for kind, one in configs.items())
