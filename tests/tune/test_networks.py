"""Tuned networks: each is on the law of the search and within its budget."""

import numpy as np
import pytest
import tunings

from ns_tf import load
from ns_tf.base import InputError, RunError
from ns_tf.descend.record import write_search
from ns_tf.descend.work import SearchRun
from ns_tf.plan.config import BudgetConfig
from ns_tf.problem.config import ProblemConfig
from ns_tf.run.watch import Watch
from ns_tf.scaling.config import Wishes
from ns_tf.tune.hypermodel import SPACE
from ns_tf.tune.networks import TunedNetworks


def networks(folder, source, **options):
    return TunedNetworks(*tunings.arguments(folder, source, **options))


@pytest.mark.parametrize("params", [901, 1709, 3989])
def test_a_trial_has_the_widths_that_the_search_plans(source, tmp_path, params):
    work = networks(tmp_path, source)
    found = work.find({"params": params, "rate": 0.1}, tmp_path, Watch())
    plan = load(source).plan(params=params)
    assert found == {"widths": list(plan.widths)}
    assert plan.params <= params


def test_the_wishes_of_the_search_hold_unless_flags_have_others(network, tmp_path):
    source = tmp_path / "source"
    record = tunings.with_fields(
        tunings.law(source, network), wishes=Wishes(multiple_of={"*": 8})
    )
    write_search(source, record)
    work = networks(tmp_path / "run", source)
    widths = work.find({"params": 1709}, tmp_path, Watch())["widths"]
    assert widths == list(load(source).plan(params=1709).widths)
    assert all(width % 8 == 0 for width in widths)
    other = networks(
        tmp_path / "run", source, budget=BudgetConfig(multiple_of=("*:3",))
    )
    widths = other.find({"params": 1709}, tmp_path, Watch())["widths"]
    assert all(width % 3 == 0 for width in widths) and any(w % 8 for w in widths)


def test_what_flags_fix_holds_for_every_trial(source, tmp_path):
    budget = BudgetConfig(macs=40_000.0, round_to=4, min_width=5)
    work = networks(tmp_path, source, budget=budget)
    plain = networks(tmp_path, source)
    values = {"params": 3989}
    widths = work.find(values, tmp_path, Watch())["widths"]
    macs = load(source).costs["macs"](np.array(widths))
    assert macs <= 40_000 and all(width % 4 == 0 for width in widths)
    assert widths != plain.find(values, tmp_path, Watch())["widths"]


def test_the_recipe_is_the_flags_but_for_what_is_drawn(source, tmp_path):
    work = networks(tmp_path, source)
    drawn = {"params": 901, "rate": 0.125, "augmentation": "crop"}
    expected = tunings.with_fields(tunings.RECIPE, rate=0.125, augmentation="crop")
    assert work.recipe(drawn) == expected
    shorter = work.recipe({**drawn, "tuner/epochs": 3})
    assert (shorter.epochs, shorter.rate, shorter.augmentation) == (3, 0.125, "crop")
    assert shorter.rate_drops == (33, 67, 83), "a third as late"


def test_the_usual_space_leaves_out_what_flags_set(source, tmp_path):
    def names(**fields):
        budget = BudgetConfig(**fields)
        return set(networks(tmp_path, source, budget=budget, space=()).space.members)

    # `network` has 19 and 23 filters: multiples of 8 exist from half its widths on.
    assert names(params=3000.0, round_to=2) == set(SPACE) - {"ratio", "round_to"}
    assert names(params=3000.0) == set(SPACE) - {"ratio"}


def test_what_trials_depend_on_changes_with_the_law_and_not_with_the_place_of_data(
    source, network, tmp_path
):
    first = networks(tmp_path, source).source()
    moved = ProblemConfig(data_dir="/somewhere/else")
    assert networks(tmp_path, source, task=moved).source() == first
    record = tunings.law(tmp_path / "other", network)
    assert networks(tmp_path, tmp_path / "other").source() == first
    (state,) = record.states
    law = tunings.with_fields(state.law, alpha=1.25 * state.law.alpha)
    states = (tunings.with_fields(state, law=law),)
    write_search(tmp_path / "other", tunings.with_fields(record, states=states))
    assert networks(tmp_path, tmp_path / "other").source() != first


def test_a_search_by_flagfile_is_done_when_the_tuning_is_prepared(
    flagfile, network, tmp_path, monkeypatch
):
    monkeypatch.setattr(
        SearchRun, "run", lambda run, folder, watch: tunings.law(folder, network)
    )
    folder = tmp_path / "tuning"
    work = networks(folder, flagfile)
    assert not folder.exists()
    work.prepare(Watch())
    widths = work.find({"params": 1709}, folder, Watch())["widths"]
    kept = load(folder / "searches" / "small")
    assert widths == list(kept.plan(params=1709).widths)


def test_wishes_of_a_flagfile_are_checked_before_its_search_is_done(flagfile, tmp_path):
    flagfile.write_text(flagfile.read_text() + "--widths_between=*:11:64\n")
    with pytest.raises(InputError, match="widths_between=.*11.*, which makes it so"):
        networks(tmp_path / "run", flagfile, space=("params=900..4000",))
    networks(tmp_path / "run", flagfile, space=("params=4000..9000",))


def test_a_budget_that_turns_out_impossible_is_a_failure_of_the_trial(
    source, tmp_path, monkeypatch
):
    work = networks(tmp_path, source)

    def impossible(values):
        raise InputError("latency_ms=0.1 cannot be met")

    monkeypatch.setattr(work._hypermodel(), "plan_of", impossible)
    with pytest.raises(RunError, match="cannot be met"):
        work.find({"params": 1709}, tmp_path, Watch())


@pytest.mark.parametrize(
    "space, text",
    [
        (("params=900..4000", "batch=64|5000"), "5000 is too large"),
        (("rate=0.1..0.2",), "Give a budget"),
        (("params=3..4000",), "params=3 cannot be met"),
    ],
)
def test_a_space_with_a_value_that_no_trial_could_have_is_refused(
    source, tmp_path, space, text
):
    with pytest.raises(InputError, match=text):
        networks(tmp_path / "run", source, space=space)
    assert not list(tmp_path.iterdir())
