"""Tuned searches: none takes more steps than the cap."""

import math

import pytest
import tunings
from hypothesis import given, settings
from hypothesis import strategies as st

from ns_tf.base import InputError, RunError
from ns_tf.budgets import latency
from ns_tf.descend.work import SearchRun
from ns_tf.plan.config import BudgetConfig
from ns_tf.problem.config import ProblemConfig
from ns_tf.run.watch import Watch
from ns_tf.tune.searches import TunedSearches

EPOCH = 22  # Steps: 1437 digits in batches of 64.
REMOVED = 19 + 23 - 9  # A fifth of the filters stays.
PRUNING = ("pretrain_epochs=0..3", "filters_per_event=3..6", "steps_per_event=1..29")
BUDGET = BudgetConfig(params=2000.0)


def searches(folder, source, **options):
    options = {"tune": "search", "space": PRUNING, "budget": BUDGET, **options}
    return TunedSearches(*tunings.arguments(folder, source, **options))


def steps(values):
    """Training steps of a search with these numbers."""
    events = math.ceil(REMOVED / values["filters_per_event"])
    return EPOCH * values["pretrain_epochs"] + events * values["steps_per_event"]


@pytest.fixture(scope="module")
def capped(network, tmp_path_factory):
    """Searches of at most 9, 71 and 97 steps."""
    folder = tmp_path_factory.mktemp("capped")
    flagfile = folder / "small.flags"
    flagfile.write_text(tunings.as_flagfile(tunings.settings(network)))
    caps = (9, 71, 97)
    return {cap: searches(folder, flagfile, max_search_steps=cap) for cap in caps}


drawn = st.fixed_dictionaries(
    {
        "pretrain_epochs": st.integers(0, 3),
        "filters_per_event": st.integers(3, 6),
        "steps_per_event": st.integers(1, 29),
    }
)


@settings(max_examples=60)
@given(drawn, st.sampled_from([9, 71, 97]))
def test_a_draw_is_changed_as_little_as_brings_it_below_the_cap(capped, values, cap):
    adjusted = capped[cap].adjust(values)
    assert steps(adjusted) <= cap
    if steps(values) <= cap:
        assert adjusted == values
        return
    # Steps per event go first, then epochs, then filters, each as far as it must.
    assert adjusted["steps_per_event"] <= values["steps_per_event"]
    assert adjusted["pretrain_epochs"] <= values["pretrain_epochs"]
    assert adjusted["filters_per_event"] >= values["filters_per_event"]
    if adjusted["pretrain_epochs"] < values["pretrain_epochs"]:
        assert adjusted["steps_per_event"] == 1
    if adjusted["filters_per_event"] > values["filters_per_event"]:
        assert adjusted["pretrain_epochs"] == 0
    if adjusted["steps_per_event"] > 1:
        longer = adjusted["steps_per_event"] + 1
        assert steps({**adjusted, "steps_per_event": longer}) > cap


def test_choices_are_changed_to_the_next_cheaper_one(flagfile, tmp_path):
    space = ("steps_per_event=2|7|13", "filters_per_event=3|6")
    work = searches(tmp_path, flagfile, space=space, max_search_steps=80)
    values = {"steps_per_event": 13, "filters_per_event": 3}
    assert work.adjust(values) == {"steps_per_event": 7, "filters_per_event": 3}
    assert values["steps_per_event"] == 13, "what was drawn stays as it was"


def test_without_a_cap_the_flagfiles_own_settings_are_the_cap(flagfile, tmp_path):
    work = searches(tmp_path, flagfile)
    own = {"pretrain_epochs": 0, "filters_per_event": 3, "steps_per_event": 1}
    assert work.adjust(own) == own
    longer = work.adjust({**own, "steps_per_event": 2})
    assert steps(longer) <= steps(own)


@pytest.fixture
def searched_with(monkeypatch, network):
    """The settings of the searches that were done; each ends at once."""
    asked = []

    def run(search, folder, watch):
        del watch
        asked.append(search)
        record = tunings.law(folder, network)
        states = record.states * search.config.iterations
        return tunings.with_fields(record, states=states)

    monkeypatch.setattr(SearchRun, "run", run)
    return asked


def test_iterations_are_done_as_long_as_the_cap_allows(
    network, tmp_path, searched_with
):
    flagfile = tmp_path / "deep.flags"
    text = tunings.as_flagfile(tunings.settings(network, iterations=3))
    flagfile.write_text(text)
    values = {"pretrain_epochs": 0, "filters_per_event": 3, "steps_per_event": 1}
    once = steps(values)
    work = searches(tmp_path, flagfile, max_search_steps=2 * once + 5)
    found = work.find(values, tmp_path, Watch())
    assert found["search_steps"] <= 2 * once + 5
    assert [run.config.iterations for run in searched_with] == [1, 2]
    for run in searched_with:
        assert run.prune.filters_per_event == 3 and run.prune.steps_per_event == 1
    params = work.problem.structure.params(found["widths"])
    assert 1000 < params <= 2000


def test_values_that_do_not_go_together_fail_as_a_trial(flagfile, tmp_path):
    """Each alone is sound: too few removals are left where both are drawn."""
    space = ("filters_per_event=3|5", "stop_fraction=0.2|0.5")
    work = searches(tmp_path, flagfile, space=space)
    values = {"filters_per_event": 5, "stop_fraction": 0.5}
    with pytest.raises(RunError, match="at least"):
        work.find(values, tmp_path, Watch())


def test_what_trials_depend_on_is_the_flagfile_but_for_what_may_change(
    flagfile, tmp_path
):
    first = searches(tmp_path, flagfile).source()
    moved = ProblemConfig(data_dir="/somewhere/else")
    assert searches(tmp_path, flagfile, task=moved).source() == first
    text = flagfile.read_text()
    assert "--prune_rate=0.01" in text
    flagfile.write_text(text.replace("--prune_rate=0.01", "--prune_rate=0.02"))
    assert searches(tmp_path, flagfile).source()["flags"] != first["flags"]
    flagfile.write_text(text.replace("--iterations=1", "--iterations=2"))
    other = searches(tmp_path, flagfile).source()
    assert other["flags"] == first["flags"] and other != first


def test_its_recipe_is_that_of_the_flags_in_fewer_epochs(capped):
    assert capped[9].recipe({"steps_per_event": 3}) == tunings.RECIPE
    assert capped[9].recipe({"tuner/epochs": 3}).epochs == 3


@pytest.mark.parametrize(
    "options, text",
    [
        ({"task": ProblemConfig(dataset="digits")}, "are those of the flagfile"),
        ({"max_search_steps": 3}, "takes at least .*the cap is 3"),
        ({"budget": BudgetConfig()}, "Give a budget"),
        ({"budget": BudgetConfig(params=3.0)}, "params=3 cannot be met"),
        ({"space": ("rate=0.1..0.2",)}, "Unknown hyperparameter 'rate'"),
        ({"space": ("filters_per_event=3..60",)}, "at least"),
        ({"space": ("search_batch=64|5000",)}, "5000 is too large"),
    ],
)
def test_a_tuning_that_no_trial_could_be_of_is_refused(
    flagfile, tmp_path, options, text
):
    with pytest.raises(InputError, match=text):
        searches(tmp_path / "run", flagfile, **options)
    assert not (tmp_path / "run").exists()


def test_a_measured_budget_alone_is_a_budget(flagfile, tmp_path, monkeypatch):
    def measure(model, shape, **how):
        return float(model.count_params())

    monkeypatch.setattr(latency, "measure", measure)
    searches(tmp_path / "run", flagfile, budget=BudgetConfig(latency_ms=2003.0))
    with pytest.raises(InputError, match="latency_ms=3 was not met"):
        searches(tmp_path / "run", flagfile, budget=BudgetConfig(latency_ms=3.0))


@pytest.mark.parametrize("name", [None, "somewhere"])
def test_a_search_is_tuned_by_its_flagfile_alone(tmp_path, name):
    with pytest.raises(InputError, match="needs the flagfile of a search"):
        searches(tmp_path, tmp_path, search=name)


def test_a_search_that_goes_on_with_later_iterations_there_finds_the_same(
    network, tmp_path
):
    """With real searches, of 11 to 14 steps an iteration."""
    flagfile = tmp_path / "deep.flags"
    flagfile.write_text(tunings.as_flagfile(tunings.settings(network, iterations=3)))
    space = ("filters_per_event=3..5",)
    work = searches(tmp_path, flagfile, space=space, max_search_steps=29)
    values = work.adjust({"filters_per_event": 3})
    first = work.find(values, tmp_path, Watch())
    assert work.find(values, tmp_path, Watch()) == first
    assert first["search_steps"] <= 29
