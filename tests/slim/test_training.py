"""A supernet's training: shares, switches, statistics, and going on after a kill."""

import keras
import numpy as np
import pytest
from small import Ended, KilledAt, problem, replaced, residual
from supernets import ANY, RECIPE, TWO, dense, training, work

import ns_tf
from ns_tf.base import InputError
from ns_tf.engine import loop
from ns_tf.engine.runtime import Runtime
from ns_tf.graph import weights
from ns_tf.networks import blocks
from ns_tf.problem import tasks
from ns_tf.prune.trained import cut
from ns_tf.run.watch import Watch
from ns_tf.slim import config as configs
from ns_tf.slim.config import SupernetConfig
from ns_tf.slim.training import SupernetTraining
from ns_tf.slim.work import joined
from ns_tf.train.config import TrainConfig
from ns_tf.train.training import Training, train


def done(made):
    """The training after its last step, at the best epoch, and its result."""
    loop.run(made, made.total, made.runtime, label="it", checkpoint="it.npz")
    return made, made.result()


@pytest.fixture(scope="module")
def switchable():
    return done(training())


@pytest.fixture(scope="module")
def shared():
    return done(training(ANY))


def images(made):
    return made.dataset.test.images[:7].astype("float32")


@pytest.mark.parametrize(
    "name", ["switchable", pytest.param("shared", marks=pytest.mark.slow)]
)
def test_what_comes_out_is_the_supernets_own_network(name, request):
    made, result = request.getfixturevalue(name)
    for share in (0.5, 1.0):
        member, widths = made.network.members[share], made.network.widths(share)
        model = made.at(widths)
        assert isinstance(model, keras.Model) and model is not member.model
        made.by_share("test")  # Fills the members.
        own = member.model(images(made), training=False)
        np.testing.assert_allclose(model(images(made)), own, atol=1e-6)
        # What is sliced is what pruning to these channels keeps.
        plain = weights.values(
            cut(made.model, made.problem.structure, made.network.keep(widths))
        )
        for key, value in weights.values(model).items():
            if key not in member.own:
                np.testing.assert_array_equal(value, plain[key])
    assert result.model is made.model


def test_an_epoch_is_as_good_as_the_mean_of_the_shares(switchable):
    made, result = switchable
    by_share = made.by_share("validation")
    assert set(by_share) == {0.5, 1.0}
    best = max(result.history, key=lambda epoch: epoch.validation_score)
    mean = np.mean([score for _, score in by_share.values()])
    assert best.validation_score == pytest.approx(mean)
    assert result.test_score == pytest.approx(
        np.mean([score for _, score in made.by_share("test").values()])
    )


def test_training_one_share_leaves_the_norms_of_another_untouched():
    made = training(SupernetConfig(shares=(0.25, 0.5, 1.0)))
    before = made.network.values()
    made.network.members[0.5](images(made))
    changed = {
        layer.partition("@")[2]
        for (layer, name), value in made.network.values().items()
        if not np.array_equal(value, before[layer, name])
    }
    assert changed == {"0.5"}


def test_one_share_is_plain_training():
    one, result = done(training(SupernetConfig(shares=(1.0,))))
    usual = Training(work(), work().build, RECIPE, Runtime(seed=3))
    loop.run(usual, usual.total, usual.runtime, label="it", checkpoint="it.npz")
    for own, other in zip(result.history, usual.result().history, strict=True):
        assert own.train_loss == pytest.approx(other.train_loss, rel=1e-4)
        assert own.validation_score == other.validation_score


def test_any_widths_come_of_shared_norms_and_shares_alone_of_switches(
    switchable, shared
):
    assert shared[0].at((5, 3)).get_layer("conv1").filters == 3
    with pytest.raises(InputError, match="the shares 0.5, 1 alone; norms='shared'"):
        switchable[0].at((5, 3))


def test_statistics_of_shared_norms_are_measured_for_every_width(shared):
    made, _ = shared
    widths = made.network.widths(0.5)
    raw = cut(made.model, made.problem.structure, made.network.keep(widths))
    kept, measured = (m.get_layer("bn3").moving_mean for m in (raw, made.at(widths)))
    assert not np.allclose(kept, measured)
    np.testing.assert_array_equal(
        made.at((8, 7)).get_layer("bn3").moving_mean,
        made.model.get_layer("bn3").moving_mean,
    )


def test_a_sandwich_has_other_members_at_every_step_which_the_seed_decides(monkeypatch):
    monkeypatch.setattr(configs, "_GRID", 4)
    rule = replaced(ANY, rule="sandwich", members=4)
    own = joined(problem(dense, (8,)))
    made = SupernetTraining(own, rule, RECIPE, Runtime(seed=3))
    assert rule.slots == ((0,), (3,), (1, 2), (1, 2))
    steps = [made.choices(step) for step in range(20)]
    assert {tuple(row) for row in steps} == {(0, 0, 0, 1), (0, 0, 1, 0)}
    np.testing.assert_array_equal(made.choices(3), steps[3])
    batches = iter(made.batches())
    for expected in steps[:2]:
        inputs, (labels, choices) = next(batches)
        np.testing.assert_array_equal(choices, expected)
        made.step(inputs, (labels, choices))
    assert np.isfinite(made.losses.total())


def test_killed_anywhere_it_goes_on_to_the_same_weights(switchable, tmp_path):
    watch = Watch(KilledAt(4), folder=tmp_path, seconds=0)
    with pytest.raises(Ended):
        done(training(watch=watch))
    again, result = done(training(watch=Watch(folder=tmp_path)))
    made, expected = switchable
    assert [e.train_loss for e in result.history] == [
        e.train_loss for e in expected.history
    ]
    values = made.network.values()
    for key, value in again.network.values().items():
        np.testing.assert_array_equal(value, values[key])


def test_distillation_of_another_task_than_classes_is_refused():
    other = problem(residual, (8, 7, 8))
    other = replaced(other, task=tasks.get("multilabel"))
    config = replaced(TWO, inplace_distil=True)
    with pytest.raises(InputError, match="--inplace_distil.*multilabel"):
        SupernetTraining(other, config, RECIPE, Runtime())


def plain(widths, *, input_shape, classes):
    """Three convolutions with batch norms; the last halves the map."""
    x = image = keras.Input(input_shape, name="image")
    for i, width in enumerate(widths, 1):
        x = blocks.conv_bn(
            x, width, 3, stride=1 + (i == 3), bias=False, name=f"conv{i}"
        )
        x = keras.layers.ReLU(name=f"relu{i}")(x)
    x = keras.layers.GlobalAveragePooling2D(name="average")(x)
    return keras.Model(image, blocks.dense(x, classes, name="logits"))


@pytest.mark.slow
def test_shares_are_as_good_as_networks_of_their_own_and_statistics_must_be_measured():
    """On digits of 8 x 8, at equal epochs; each within 4 points."""
    shares = (0.25, 0.5, 0.75, 1.0)
    recipe = TrainConfig(epochs=6, batch=64, rate=0.05, momentum=0.9, schedule="cosine")
    data = ns_tf.dataset("digits", image_size=8)
    own = joined(problem(plain, (16, 24, 32), data))
    runtime = Runtime(seed=0)
    for norms in ("switchable", "shared"):
        config = SupernetConfig(shares=shares, norms=norms)
        made, _ = done(SupernetTraining(own, config, recipe, runtime))
        for share, (_, score) in made.by_share("test").items():
            widths = made.network.widths(share)
            alone = train(own, lambda w=widths: own.build(w), recipe, runtime)
            assert score >= alone.test_score - 0.04
    widths = made.network.widths(0.25)
    raw = cut(made.model, own.structure, made.network.keep(widths))
    _, counts = made._evaluator(raw)(made.dataset, "test", 64)
    kept = made.task.score_of(counts)
    assert made.by_share("test")[0.25][1] >= kept + 0.1
