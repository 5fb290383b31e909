"""`python -m ns_tf.report`: where the page goes, and what has none."""

import json

import pytest
from laws import toy_device
from toys import toy_search, written
from verbs import contents, refused


@pytest.fixture(scope="module")
def searched_folder(tmp_path_factory):
    """The run folder of a search."""
    return written(tmp_path_factory.mktemp("report"), toy_search())


@pytest.mark.parametrize("name", ["nowhere", "empty"])
def test_a_folder_of_nothing_has_no_report(command, tmp_path, name):
    (tmp_path / "empty").mkdir()
    before = contents(tmp_path)
    refused(command("report", f"--run_dir={tmp_path / name}"), "neither a search")
    assert contents(tmp_path) == before


@pytest.mark.parametrize("text", ["", "{}", '{"version": 1, "title": "x"}'])
def test_a_damaged_comparison_is_refused_and_named(command, tmp_path, text):
    (tmp_path / "comparison.json").write_text(text)
    refused(command("report", f"--run_dir={tmp_path}"), "comparison.json")
    assert not (tmp_path / "report.html").exists()


def test_a_place_that_cannot_be_written_is_refused(command, searched_folder, tmp_path):
    asked = (f"--run_dir={searched_folder}", f"--out={tmp_path / 'nowhere' / 'r.html'}")
    refused(command("report", *asked), "nowhere", "--out")


def test_a_page_replaces_pages_alone(command, searched_folder, tmp_path):
    (tmp_path / "descent.json").write_text('{"version": 1}')
    asked = ("report", f"--run_dir={searched_folder}")
    result = command(*asked, f"--out={tmp_path}/descent.json")
    refused(result, "another kind of file", "Give another --out")
    assert (tmp_path / "descent.json").read_text() == '{"version": 1}'
    (tmp_path / "page.html").write_text("<!DOCTYPE html>\nold")
    code, out, err = command(*asked, f"--out={tmp_path}/page.html")
    assert code == 0 and "old" not in (tmp_path / "page.html").read_text()[:30], err


def test_a_device_file_is_in_the_page_or_refused(command, searched_folder, tmp_path):
    asked = (f"--run_dir={searched_folder}", f"--out={tmp_path}/r.html")
    refused(command("report", *asked, f"--device={tmp_path}/none"), "no device file")
    assert not (tmp_path / "r.html").exists()
    device = toy_device(toy_search()).write(tmp_path / "device.json")
    code, _, err = command("report", *asked, f"--device={device.path}")
    assert code == 0 and "ms by device" in (tmp_path / "r.html").read_text(), err


def test_a_comparison_is_in_the_report_alone_or_beside_a_search(
    command, searched_folder, tmp_path
):
    row = {
        "widths": [3],
        "params": 3,
        "macs": 5,
        "best_epochs": [0.5],
        "seconds": [7],
        "failures": [],
        "latency_ms": 1.5,
        "latency_p95_ms": 2.5,
        "budget": "params=3",
    }
    outcome = {
        "version": 1,
        "title": "net on data",
        "recipe": "2 epochs.",
        "latency": "on paper.",
        "date": "2026-11-22",
        "gaps": ["c at params=3: it cannot"],
        "rows": [
            {**row, "method": m, "accuracies": [a]} for m, a in (("a", 0.25), ("b", 1))
        ],
        "differences": [
            {
                "budget": "params=3",
                "better": "b",
                "worse": "a",
                "points": 75.0,
                "interval": None,
                "p": None,
            }
        ],
    }
    compared = tmp_path / "compared"
    compared.mkdir()
    (compared / "comparison.json").write_text(json.dumps(outcome))
    code, out, err = command("report", f"--run_dir={compared}")
    assert code == 0, err
    alone = (compared / "report.html").read_text()
    assert "b is 75.00 points above a" in alone and "what_if" not in alone
    assert "Not there: c at params=3: it cannot." in alone
    out = tmp_path / "both.html"
    asked = (f"--run_dir={searched_folder}", f"--comparison={compared}", f"--out={out}")
    assert command("report", *asked)[0] == 0
    both = out.read_text()
    assert "b is 75.00 points above a" in both and 'id="what_if"' in both
