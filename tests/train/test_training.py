"""Training one network: its history, its best epoch, its state."""

import dataclasses
import itertools

import numpy as np
import pytest
from small import KilledAt, Recorder, chain, coloured, problem, replaced

from ns_tf.base import InputError, RunError
from ns_tf.engine.runtime import Runtime
from ns_tf.run.folder import CHECKPOINT
from ns_tf.run.watch import Watch
from ns_tf.train.config import TrainConfig
from ns_tf.train.training import Epoch, Training, best_of, best_test_score, train

RECIPE = TrainConfig(epochs=3, batch=16, rate=0.05, momentum=0.9, rate_drops=(2,))
WIDTHS = (7, 5)


@pytest.fixture(scope="module")
def work():
    return problem(chain, WIDTHS)


def flat(training):
    """All weights, in a row."""
    return np.concatenate([v.ravel() for v in training.padded.values().values()])


@pytest.fixture(scope="module")
def training(work):
    """A training that has gone through all of its steps, and what it was shown as."""
    recipe = replaced(RECIPE, test_every_epoch=True)
    training = Training(work, work.build, recipe, Runtime(seed=3))
    training.after = []  # The weights after every epoch.
    for batch in training.batches():
        if training.finished:
            break
        training.step(*batch)
        if training.steps == 2:
            training.early = flat(training)
        if training.steps % training.epoch_steps == 0:
            training.after.append(training.padded.values())
    return training


def rows(*scores, tests=None):
    tests = tests or [None] * len(scores)
    pairs = enumerate(zip(scores, tests, strict=True), 1)
    return [Epoch(n, 0.1, 1.0, 1.0, score, test) for n, (score, test) in pairs]


def test_the_best_epoch_is_the_first_of_the_highest_validation_score():
    assert best_of(rows(0.25, 0.75, 0.5, 0.75)).epoch == 2


def test_the_papers_statistic_is_the_best_test_score_if_all_were_tested():
    assert best_test_score(rows(0.9, 0.1, tests=[0.25, 0.75])) == 0.75
    assert best_test_score(rows(0.9, 0.1, tests=[0.25, None])) is None
    assert best_test_score(rows(0.9, 0.1)) is None


def test_every_epoch_has_a_row(training):
    history = training.history
    assert [epoch.epoch for epoch in history] == [1, 2, 3]
    np.testing.assert_allclose([epoch.rate for epoch in history], [0.05, 0.05, 0.005])
    assert training.steps == training.total == 3 * training.epoch_steps
    assert history[-1].train_loss < history[0].train_loss


def test_a_row_holds_the_scores_of_the_weights_after_its_epoch(training):
    for epoch, weights in zip(training.history, training.after, strict=True):
        training.padded.assign(weights)
        loss, score = training._evaluated("validation")
        assert (epoch.validation_loss, epoch.validation_score) == (loss, score)
        assert epoch.test_score == training._evaluated("test")[1]


def test_the_result_is_the_network_of_the_best_epoch_tested(training):
    result = training.result()
    best = result.best_epoch
    assert best == best_of(training.history).epoch
    expected = training.after[best - 1]
    for key, value in training.best.items():
        np.testing.assert_array_equal(value, expected[key])
    model = result.model
    assert [model.get_layer(n).filters for n in ("conv1", "conv2")] == list(WIDTHS)
    test = training.dataset.test
    images = (test.images - training.dataset.mean) / training.dataset.std
    answers = model.predict(images, verbose=0).argmax(axis=1)
    assert result.test_score == (answers == test.labels).mean()
    assert result.history[best - 1].test_score == result.test_score
    assert 0 < result.seconds < 600


@pytest.mark.slow
def test_the_same_seed_trains_the_same_network_and_another_one_does_not(work, training):
    def after_two(seed):
        again = Training(work, work.build, training.config, Runtime(seed=seed))
        for batch in itertools.islice(again.batches(), 2):
            again.step(*batch)
        return flat(again)

    one = training.early  # Of seed 3.
    np.testing.assert_array_equal(after_two(3), one)
    assert not np.array_equal(after_two(5), one)


def test_training_that_is_augmented_otherwise_draws_other_images(work):
    training = Training(
        work, work.build, replaced(RECIPE, augmentation="flip"), Runtime()
    )
    assert training.dataset.flip and not work.dataset.flip


def test_progress_shows_steps_losses_and_the_last_validation_score(work):
    meter = Recorder()
    runtime = Runtime(watch=Watch(meter))
    result = train(work, work.build, replaced(RECIPE, epochs=2), runtime, label="it")
    (bar,) = meter.bars
    assert bar == {"total": 6, "label": "it", "unit": "steps", "initial": 0}
    assert len(meter.updates) == 6
    assert "validation" not in meter.updates[0]
    assert meter.updates[-1]["validation"] == result.history[-1].validation_score
    assert meter.updates[-1]["loss"] > 0


def test_a_loss_that_is_not_finite_ends_the_training(work):
    with pytest.raises(RunError, match="loss (is|after epoch 1 is) (nan|inf)"):
        train(work, work.build, replaced(RECIPE, rate=1e30))


def test_a_validation_loss_that_is_not_finite_names_the_epoch_and_the_flag(
    work, monkeypatch
):
    training = Training(work, work.build, RECIPE, Runtime())
    training.evaluate = lambda *arguments: (np.inf, np.array([3, 7]))
    training.steps = training.epoch_steps
    with pytest.raises(RunError, match=r"validation loss after epoch 1 .*\(--rate\)"):
        training._end_epoch()


def test_a_score_that_is_no_number_ends_the_training_at_the_first_epoch(
    work, monkeypatch
):
    monkeypatch.setattr(type(work.task), "score_of", lambda *_: float("nan"))
    told = "validation score accuracy after epoch 1 is NaN.*metric='loss'"
    with pytest.raises(RunError, match=told):
        train(work, work.build, RECIPE, Runtime(seed=3))


@pytest.mark.slow
def test_a_test_score_that_is_no_number_ends_it_there_where_epochs_are_tested(
    work, monkeypatch
):
    """It could not be written at the end."""
    scores = iter([0.5, float("nan")])
    monkeypatch.setattr(type(work.task), "score_of", lambda *_: next(scores))
    recipe = replaced(RECIPE, test_every_epoch=True)
    with pytest.raises(RunError, match="test score accuracy after epoch 1 is NaN"):
        train(work, work.build, recipe, Runtime(seed=3))


def test_a_score_that_is_infinite_is_kept_and_beaten(training, tmp_path):
    """So is exp(loss) of a network that knows nothing yet."""
    arrays, facts = training.state()
    history = list(training.history)
    worse = dataclasses.replace(history[0], validation_score=-np.inf)
    training.history[0] = worse
    file = Watch(folder=tmp_path, seconds=0).checkpoint(CHECKPOINT)
    file.save(*training.state())
    training.restore(arrays, facts)
    file.restore(training.restore)
    assert training.history == [worse, *history[1:]]
    training.restore(arrays, facts)
    assert training.history == history


def test_a_batch_larger_than_the_training_set_is_refused(work):
    with pytest.raises(InputError, match="batch of 1009 is too large"):
        Training(work, work.build, replaced(RECIPE, batch=1009), Runtime())


def test_older_checkpoints_are_continued(training):
    """They had a dictionary for each epoch, and no seconds."""
    arrays, facts = training.state()
    seconds = facts.pop("seconds")
    rows = [dataclasses.asdict(epoch) for epoch in training.history]
    history = list(training.history)
    training.restore(arrays, {**facts, "history": rows})
    assert training.history == history
    assert training.clock.seconds < seconds


def test_seconds_of_all_processes_are_added_up(work, tmp_path):
    recipe = replaced(RECIPE, epochs=1)
    watch = Watch(KilledAt(3), folder=tmp_path, seconds=0)
    with pytest.raises(BaseException, match="^$"):
        train(work, work.build, recipe, Runtime(watch=watch))
    training = Training(work, work.build, recipe, Runtime())
    watch.checkpoint(CHECKPOINT).restore(training.restore)
    assert training.steps == 2
    assert training.clock.seconds > 0


def test_images_of_a_larger_set_are_each_learned_once_an_epoch(rng):
    work = problem(chain, WIDTHS, coloured(rng, (5, 5, 3), count=113))
    training = Training(work, work.build, replaced(RECIPE, epochs=1), Runtime(seed=3))
    images = [
        image.tobytes()
        for batch, _ in itertools.islice(training.batches(), training.epoch_steps)
        for image in batch.numpy()
    ]
    assert len(set(images)) == len(images) == 16 * training.epoch_steps
