"""Published figures beside ours, and margins between methods: from kept records."""

import json

import pytest
import toolbox
from places import ROOT

DOCS = ROOT / "docs"
BENCHED = DOCS / "runs" / "methods_vgg11_cifar10"


@pytest.fixture
def script():
    """Imports a script of tools/ by its name."""
    with toolbox.scripts() as script:
        yield script


def row(method, repaired, **others):
    """A row as bench/methods.py keeps it."""
    usual = {"allocation": "uniform", "repair": "statistics", "rounds": None}
    usual |= {"weigh": None, "budget": "macs", "recipe": "plain", "epochs": 0}
    stages = {"trained": 0.9, "cut": 0.1, "repaired": repaired, "tuned": repaired}
    seconds = {"score": 2.0, "cut": 3.0}
    return {
        "method": method,
        **usual,
        **others,
        "accuracies": stages,
        "seconds": seconds,
    }


@pytest.fixture
def records(tmp_path):
    """Records of two seeds, the second without a row of `random`."""
    seeds = (
        [row("taylor_fo", 0.58), row("random", 0.37), row("random", 0.6, epochs=1)],
        [row("taylor_fo", 0.61)],
    )
    for seed, rows in enumerate(seeds):
        text = json.dumps({"version": 1, "rows": rows})
        (tmp_path / f"seed{seed}.json").write_text(text)
    return tmp_path


def test_rows_are_read_by_what_was_chosen(script, records):
    kept = script("kept")
    found = kept.sample(records, {"method": "taylor_fo"})
    assert found.scores == {"seed0": 0.58, "seed1": 0.61}
    assert found.seconds == {"seed0": 5.0, "seed1": 5.0}
    tuned = kept.sample(records, {"method": "random", "epochs": 1, "stage": "trained"})
    assert tuned.scores == {"seed0": 0.9}
    assert not kept.sample(records, {"method": "gamma"}).scores


def test_a_margin_is_of_the_seeds_that_both_methods_have(script, records):
    rows = script("margins").table(records).splitlines()
    claim = "| `taylor_fo` over `random`, `statistics` |"
    assert f"{claim} +8 | +21.0 | +21.0 | 1 of 3 seeds |" in rows
    assert "| `gamma` over `random`, tuned | +1 | | | not run |" in rows


def test_margins_are_reached_or_not(script, records):
    others = {"taylor_fo": (0.58, 0.61, 0.6), "random": (0.37, 0.6, 0.59)}
    for seed in range(3):
        rows = [row(name, scores[seed]) for name, scores in others.items()]
        text = json.dumps({"version": 1, "rows": rows})
        (records / f"seed{seed}.json").write_text(text)
    margins = script("margins")
    over = {"method": "random"}
    reached = margins.Margin("a", 7.6, {"method": "taylor_fo"}, over)
    assert margins._line(records, reached) == (
        "| a | +7.6 | +21.0, +1.0, +1.0 | +7.7 | shown |"
    )
    missed = margins.Margin("b", 8, {"method": "taylor_fo"}, over)
    assert margins._line(records, missed).endswith("| +7.7 | **not shown** |")


@pytest.mark.parametrize(
    ("published", "interval", "said"),
    [
        (2.0, (1.0, 3.0), "yes"),
        (-2.0, (-3.0, -1.0), "yes"),
        (4.0, (1.0, 3.0), "in sign"),
        (-2.0, (1.0, 3.0), "no"),
        (2.0, (-1.0, 3.0), "not told apart"),
        (2.0, None, "too few seeds"),
    ],
)
def test_what_our_interval_says_of_a_published_difference(
    script, published, interval, said
):
    assert script("methods_table").agrees(published, interval) == said


def test_the_page_is_what_the_script_writes(script):
    table = script("methods_table")
    claims = table.claims()
    assert (DOCS / "methods.md").read_text() == table.page(claims)
    records = {claim.ours["records"] for claim in claims if claim.ours}
    assert all((DOCS / "runs" / name).is_dir() for name in records)


def test_margins_of_the_records_are_what_the_script_writes_and_results_say(script):
    text = (BENCHED / "margins.md").read_text()
    assert text == script("margins").table(BENCHED)
    assert text in (DOCS / "results.md").read_text()


def test_results_have_the_rows_beside_torch_pruning():
    text = (DOCS / "results.md").read_text()
    with toolbox.scripts("bench") as script:
        methods = script("methods")
        for record in (DOCS / "runs").glob("torch_pruning_*/seed0.json"):
            rows = methods.read_rows(str(record))
            assert rows and all(methods.line(row) in text for row in rows)
