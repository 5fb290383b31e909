"""keras-tuner's oracles: killed anywhere and continued, they deal out the same."""

import keras_tuner
import pytest
from edits import edit
from picked import picked

from ns_tf.base import InputError
from ns_tf.run.folder import TRIALS
from ns_tf.run.option import Kind
from ns_tf.tune import oracle as tune_oracle
from ns_tf.tune.config import TuneConfig
from ns_tf.tune.oracle import OBJECTIVE
from ns_tf.tune.space import Space

SPACE = Space(
    {"x": (0.01, 1.0), "n": (3, 41), "way": ["a", "b"]},
    {"x": Kind(float), "n": Kind(int), "way": Kind(str)},
)
CONFIGS = {
    "random": TuneConfig(tuner="random", max_trials=5),
    "bayesian": TuneConfig(tuner="bayesian", max_trials=5, random_trials=3),
    "hyperband": TuneConfig(tuner="hyperband", hyperband_factor=3),
}


def make(tuner, path=None, **changes):
    hp = keras_tuner.HyperParameters()
    SPACE.declare(hp)
    config = CONFIGS[tuner]
    if changes:
        config = type(config)(**{**vars(config), **changes})
    return tune_oracle.make(config, hp, 9, 5, path=path, adjust=SPACE.tidy)


def score(values):
    return (values["x"] - 0.2) ** 2 + values["n"] / 100


def end(oracle, trial):
    values = trial.hyperparameters.values
    oracle.update_trial(trial.trial_id, {OBJECTIVE: score(values)})
    trial.status = "COMPLETED"
    oracle.end_trial(trial)


def dealt_out(oracle, tuner="a"):
    """All that it deals out, done one after the other."""
    found = []
    while (trial := oracle.create_trial(tuner)).status == "RUNNING":
        found.append((trial.trial_id, dict(trial.hyperparameters.values)))
        end(oracle, trial)
    return found


@pytest.mark.parametrize("tuner", CONFIGS)
def test_killed_before_and_during_every_trial_it_deals_out_the_same(tuner, tmp_path):
    straight = dealt_out(make(tuner))
    path = tmp_path / TRIALS
    found = []
    for _ in range(len(straight)):
        make(tuner, path).create_trial("killed")
        again = make(tuner, path)  # By another worker, after the kill.
        trial = again.create_trial("heir")
        found.append((trial.trial_id, dict(trial.hyperparameters.values)))
        end(again, trial)
    assert found == straight
    last = make(tuner, path)
    assert last.create_trial("a").status == "STOPPED"
    assert not last.left and not make(tuner, path).left


@pytest.mark.parametrize("tuner", CONFIGS)
def test_a_kill_while_the_end_is_written_repeats_at_most_that_end(tuner, tmp_path):
    """keras-tuner's own save comes while the trial still counts as running."""
    path = tmp_path / TRIALS
    oracle = make(tuner, path)
    first = oracle.create_trial("a")
    states = []

    def save():
        type(oracle).save(oracle)
        states.append(path.read_text())

    oracle.save = save
    end(oracle, first)
    path.write_text(states[0])
    again = make(tuner, path)
    assert again.create_trial("a").trial_id != first.trial_id


@pytest.mark.parametrize("tuner", picked({"random"}, ["random", "bayesian"]))
def test_trials_can_be_added(tuner, tmp_path):
    path = tmp_path / TRIALS
    before = dealt_out(make(tuner, path))
    assert len(before) == 5
    more = dealt_out(make(tuner, path, max_trials=7))
    assert len(more) == 2
    assert not {name for name, _ in before} & {name for name, _ in more}


def test_several_that_were_running_are_all_dealt_out_again_in_order(tmp_path):
    path = tmp_path / TRIALS
    oracle = make("random", path)
    begun = [oracle.create_trial(f"worker{i}").trial_id for i in range(3)]
    again = make("random", path)
    assert again.left
    assert [again.create_trial(f"other{i}").trial_id for i in range(3)] == begun


@pytest.mark.parametrize("tuner", ["random", "hyperband"])
def test_the_number_of_trials_is_known_beforehand(tuner):
    assert tune_oracle.count(make(tuner)) == len(dealt_out(make(tuner)))


def test_fewer_trials_if_the_space_has_no_more():
    config = TuneConfig(max_trials=20)
    hp = keras_tuner.HyperParameters()
    hp.Choice("way", ["a", "b", "c"])
    assert tune_oracle.count(tune_oracle.make(config, hp, 9, 5)) == 3


@pytest.mark.parametrize("tuner", picked({"random"}, ["random", "bayesian"]))
def test_nothing_is_tried_twice(tuner):
    """Nor where drawn values are changed to others that were tried."""
    config = TuneConfig(
        tuner=tuner,
        max_trials=20,
        random_trials=3 if tuner == "bayesian" else None,
    )
    hp = keras_tuner.HyperParameters()
    hp.Choice("x", [0.1, 0.2, 0.3, 0.4])
    hp.Choice("n", [1, 8])

    def adjust(values):
        return {**values, "x": min(values["x"], 0.3)}

    oracle = tune_oracle.make(config, hp, 9, 5, adjust=adjust)
    values = [tuple(values.values()) for _, values in dealt_out(oracle)]
    assert len(set(values)) == len(values) == 6


def test_the_largest_seed_is_a_seed():
    config = TuneConfig(tuner="bayesian", max_trials=2)
    hp = keras_tuner.HyperParameters()
    SPACE.declare(hp)
    assert len(dealt_out(tune_oracle.make(config, hp, 9, 2**32 - 1))) == 2


def test_hyperband_takes_the_best_ones_further():
    found = dealt_out(make("hyperband"))
    values = dict(found)
    further = [v for v in values.values() if "tuner/trial_id" in v]
    assert further and all(v["tuner/epochs"] > 1 for v in further)
    for later in further:
        before = values[later["tuner/trial_id"]]
        assert all(before[name] == later[name] for name in ("x", "n", "way"))
        assert before["tuner/epochs"] < later["tuner/epochs"] <= 9


def test_a_damaged_state_is_told(tmp_path):
    path = tmp_path / TRIALS
    dealt_out(make("random", path))
    edit(path, lambda text: text.replace('"seed_state"', '"sead_state"'))
    with pytest.raises(InputError, match="list of trials .* is damaged"):
        make("random", path)
