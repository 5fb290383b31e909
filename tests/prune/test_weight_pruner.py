"""Single weights: how many stay, exactly, which, and that zeros stay zeros."""

import dataclasses
import zipfile

import keras
import numpy as np
import pytest
from trained import digits, learned, noise_images, pruner, walked

import ns_tf
from ns_tf.base import InputError
from ns_tf.engine.runtime import Runtime
from ns_tf.graph import weights
from ns_tf.networks.structure import count_params
from ns_tf.prune.config import CutConfig, FinetuneConfig
from ns_tf.prune.pruned import prune_trained
from ns_tf.prune.weight_pruner import _whole
from ns_tf.train.training import Training

WHOLE = 4442  # Weights of the network that has learned; 142 of them are no kernels'.


def of_weights(method="magnitude", model=None, **asked):
    whole, problem = learned()
    options = {"level": "weight", "method": method, **asked}
    return pruner(model or whole, problem.dataset, **options)


def nonzeros(model):
    """Weights other than zero, counted as `params` counts them."""
    return sum(np.count_nonzero(v) for v in weights.learnable(model))


@pytest.mark.parametrize("allocation", ["ranking", "uniform"])
@pytest.mark.parametrize("budget", [147, 201.9, 0.05, 0.1, 0.999, 1, 4442])
def test_exactly_as_many_stay_as_may(budget, allocation, rng):
    """Every kernel keeps a weight, and the network that is cut has these nonzeros."""
    made = of_weights(nonzero=budget, allocation=allocation)
    made.check()
    most = int(budget * WHOLE if budget <= 1 else budget)
    scores = rng.integers(0, 3, made.size).astype(float)  # Many are equal.
    found = made.solve(scores)
    assert found.costs == {"nonzero": most} and min(found.widths) >= 1
    assert (np.array(found.widths) <= made.widths).all()
    keep = made.chosen(scores, found.widths)
    assert made.prunable.count(keep) == found.widths
    assert made.at(found.widths) == found
    small = made.cut(keep)
    assert nonzeros(small) == most and count_params(small) == WHOLE
    np.testing.assert_array_equal(made.kernels.flat(weights.values(small)) != 0, keep)
    if allocation == "uniform":
        sizes = np.array(made.widths)
        even = 1 + (sum(found.widths) - len(sizes)) * sizes / sizes.sum()
        assert (np.array(found.widths) >= np.minimum(np.floor(even), sizes)).all()


def test_the_highest_scores_stay_and_of_equal_ones_the_largest():
    made = of_weights(nonzero=0.3, allocation="ranking")
    scores = made.score()
    np.testing.assert_array_equal(scores, made.magnitudes)
    room = made.solve(scores)
    keep = made.chosen(scores, room.widths)
    assert scores[keep].min() >= scores[~keep].max()
    np.testing.assert_array_equal(
        made.chosen(np.zeros(made.size), made.solve(0 * scores).widths), keep
    )
    noise = of_weights("random", nonzero=0.3).score()
    assert noise.shape == scores.shape and np.ptp(noise) > 0.9
    np.testing.assert_array_equal(of_weights("random", nonzero=0.5).score(), noise)


def test_a_method_may_leave_every_kernel_a_share_of_what_is_left():
    """A tenth of the common share: of 10 % a hundredth."""
    made = of_weights("autoprune", nonzero=0.1)
    against = np.zeros(made.size)
    against[made.prunable.widths[0]] = -1.0  # The first kernel has the lowest scores.
    assert made.method.least_share == 0.1
    found = made.solve(against)
    room = sum(found.widths)
    assert found.widths[0] == 1 + int(0.1 * (room - 4) / made.size * made.widths[0])


@pytest.mark.parametrize("method", ["autoprune", "gradual", "magnitude"])
@pytest.mark.parametrize("allocation", ["ranking", "uniform"])
def test_what_stays_comes_first_in_the_order_of_all_weights(method, allocation, rng):
    """Each kernel's share first, then the highest; of equal ones large, then early."""
    made = of_weights(method, nonzero=0.5, allocation=allocation)
    made.magnitudes = np.round(made.magnitudes, 1)
    scores = rng.integers(-1, 3, made.size).astype(float)
    order = np.lexsort((-made.magnitudes, -scores))
    sizes = np.array(made.widths)
    kernel = np.repeat(np.arange(len(sizes)), sizes)[order]
    share = 1.0 if allocation == "uniform" else made.method.least_share or 0.0
    for room in (len(sizes), 201, made.size // 2, made.size - 1, made.size):
        least = 1 + np.floor(share * (room - len(sizes)) / made.size * sizes)
        first = np.zeros(made.size, bool)
        for number, count in enumerate(np.minimum(least, sizes).astype(int)):
            first[np.flatnonzero(kernel == number)[:count]] = True
        expected = np.concatenate([order[first], order[~first]])[:room]
        keep = made.staying(scores, room)
        np.testing.assert_array_equal(np.flatnonzero(keep), np.sort(expected))


@pytest.mark.parametrize(
    "asked, told",
    [
        ({"nonzero": 145}, "142 weights are biases.*Give at least nonzero=146"),
        ({"nonzero": 5000}, "5,000 is more than the trained network has: 4,442"),
        ({"macs": 0.5}, "so macs stays.*leave --macs away, and give --nonzero=0.1"),
        ({"macs": 0.5, "nonzero": 0.5}, "so macs stays as it is: leave --macs away.$"),
        ({}, "has one budget: give --nonzero=0.1"),
        ({"nonzero": 0.5, "repair": "mean"}, "--repair is of channels"),
        ({"nonzero": 0.5, "allocation": "morphnet"}, "--allocation is of channels"),
        ({"nonzero": 0.5, "grid": {"min_width": 2}}, "--min_width is of channels"),
        ({"nonzero": 0.5, "weigh": 1.0}, "--weigh is of channels"),
        ({"nonzero": 0.5, "least_share": 0.1}, "--least_share is of channels"),
        ({"nonzero": 0.5, "rounds": 2}, "--rounds is of channels"),
        ({"nonzero": 0.5, "closed": "reopen"}, "--closed is of channels"),
        ({"nonzero": 0.5, "search": "runs/a"}, "--search is of channels"),
    ],
)
def test_what_is_of_channels_or_cannot_be_met_is_refused(asked, told):
    with pytest.raises(InputError, match=told):
        of_weights(**asked).check()


@pytest.mark.parametrize(
    "options, told",
    [
        ({"nonzero": 0.5}, "--nonzero goes with --level=weight"),
        (
            {"nonzero": 0.5, "level": "block", "method": "sss"},
            "goes with --level=weight",
        ),
        ({"nonzero": 0.0, "level": "weight", "method": "random"}, "above 0"),
        (
            {"level": "weight"},
            "taylor_fo removes channels.*autoprune, gradual, magnitude",
        ),
        ({"level": "block", "method": "magnitude"}, "removes channels or weights. "),
        ({"level": "weights"}, "Unknown level 'weights'. Did you mean 'weight'"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(options, told):
    with pytest.raises(InputError, match=told):
        CutConfig(**options)


def test_layers_that_are_kept_keep_their_weights():
    made = of_weights(nonzero=0.6, keep=("conv1",))
    assert made.names == ("conv2", "conv3", "out") and made.others == 142 + 108


def test_a_part_that_is_kept_keeps_the_weights_of_its_layer(rng):
    """The heads of an attention have no kernel of their own."""
    layers = keras.layers
    image = keras.Input((4, 4, 3))
    x = layers.Reshape((16, 7))(layers.Conv2D(7, 1, name="conv")(image))
    x = layers.MultiHeadAttention(2, 3, name="attention")(x, x)
    x = layers.Dense(5, name="out")(layers.GlobalAveragePooling1D()(x))
    model, data = keras.Model(image, x), noise_images(rng, (4, 4, 3))
    made = pruner(
        model,
        data,
        level="weight",
        method="random",
        nonzero=0.5,
        keep=("attention/heads",),
    )
    assert made.kept == {"attention"} and made.names == ("conv", "out")


def test_a_network_without_a_free_width_loses_weights():
    """And one whose layers are all kept has none that can go, whatever its widths."""
    layers = keras.layers
    dense = [keras.Input((8, 8, 1)), layers.Flatten(), layers.Dense(10, name="out")]
    mine = ns_tf.trained(keras.Sequential(dense), digits(), pixels="unit")
    options = {"level": "weight", "method": "random", "finetune_epochs": 0}
    small = mine.prune(nonzero=0.29, **options)
    assert small.costs["nonzero"] == int(0.29 * 650)
    assert nonzeros(small.model) == int(0.29 * 650) - 10, "10 fresh biases are 0"
    with pytest.raises(InputError, match="no layer whose width is free"):
        mine.prune(macs=0.5)
    whole = ns_tf.trained(learned()[0], digits(), pixels="unit")
    with pytest.raises(InputError, match="no kernel that may lose weights"):
        whole.prune(nonzero=0.5, keep=("conv*", "out"), **options)
    with pytest.raises(InputError, match="leave --device away"):
        whole.prune(nonzero=0.5, device="mine.json", **options)


def test_a_share_that_is_whole_but_for_rounding_is_whole():
    """In float64 0.29 of 100 is below 29."""
    assert _whole(0.29 * 100) == 29.0 and _whole(28.9) == 28.9


def test_what_weights_do_not_have_is_no_criterion_of_theirs():
    made = of_weights(nonzero=0.5)
    active = dataclasses.replace(made.method, name="mine", reads="active")
    with pytest.raises(InputError, match="mine reads `active`, which single weights"):
        active.scorer(made).check()


def test_gates_of_weights_need_a_word_on_noise(monkeypatch):
    made = of_weights("autoprune", nonzero=0.5)
    monkeypatch.delattr(type(made.scorer.formulas), "against_noise")
    with pytest.raises(InputError, match="autoprune has no `against_noise`"):
        made.check()


TUNING = FinetuneConfig(finetune_epochs=2, finetune_batch=100)


@pytest.fixture(scope="module")
def tuned():
    """What is left at 0.2, trained on, and its pruner."""
    made = of_weights(nonzero=0.2)
    return made, prune_trained(made, TUNING, Runtime())


def test_zeros_stay_zeros_while_the_others_learn(tuned):
    """Through momentum and weight decay: a mask that leaked would grow at once."""
    made, found = tuned
    kernels = made.kernels.flat(weights.values(found.model))
    np.testing.assert_array_equal(kernels != 0, found.keep)
    assert (kernels != made.kernels.flat(weights.values(made.cut(found.keep)))).any()
    assert nonzeros(found.model) == found.scaling.costs["nonzero"] == int(0.2 * WHOLE)
    told = made.told(found.scaling.widths)
    assert "conv1 17.59% of 108" in told and "compression: 5.002" in told
    assert "No width changed" in told and made.stays == []
    fresh = dataclasses.replace(TUNING, recipe="scratch_b")
    (work,) = made.tunings(found.scaling.widths, fresh)
    assert work.fresh and work.settings.epochs == 2, "no step got cheaper"
    start = made.kernels.flat(weights.values(made.fresh(found.keep)))
    np.testing.assert_array_equal(start != 0, found.keep)


def test_a_training_with_masks_resumes_with_the_same_bits(tuned):
    made, found = tuned
    settings = made.tunings(found.scaling.widths, TUNING)[0].settings

    def training():
        masks = made.masks(found.keep)
        start = lambda: made.cut(found.keep)  # noqa: E731
        return Training(made.problem, start, settings, Runtime(), masks=masks)

    straight, again = training(), training()
    state = walked(straight, saved_at=4)
    again.restore(*state)
    walked(again)
    for one, other in zip(
        straight.state()[0].values(), again.state()[0].values(), strict=True
    ):
        np.testing.assert_array_equal(one, other)
    left = made.kernels.flat(weights.values(again.result().model))
    np.testing.assert_array_equal(left != 0, found.keep)


def test_a_file_has_these_nonzeros_and_nothing_of_ours(tuned, tmp_path):
    _, found = tuned
    path = tmp_path / "sparse.keras"
    found.model.save(path)
    assert b"ns_tf" not in zipfile.ZipFile(path).read("config.json")
    loaded = keras.saving.load_model(path)
    assert nonzeros(loaded) == found.scaling.costs["nonzero"]


@pytest.fixture(scope="module")
def gates():
    """Gates of weights that learn: the pruner, the stepper at its end, a state."""
    made = of_weights("autoprune", nonzero=0.3, gate_epochs=5, gate_batch=50)
    made.check()
    work = made.scorer.learning(Runtime())
    return made, work, walked(work, saved_at=33), work.gates.raw.copy()


def test_gates_of_weights_learn_and_resume_with_the_same_bits(gates):
    made, work, state, raw = gates
    table = work.table()
    assert table["closed"][0] == 0 < table["closed"][-1]
    assert table["planned_nonzero"][-1] == pytest.approx(0.3, abs=1e-3)
    assert abs(table["alive_nonzero"][-1] - 0.3) < 0.25, "near its plan"
    assert (raw > 0).any() and (raw <= 0).any() and (np.abs(raw) <= 0.5).all()
    closed_then = state[0]["gate/raw"] <= 0
    assert (closed_then & (raw > 0)).any(), "some come back"
    before = work.state()[0]
    work.restore(*state)
    walked(work)
    for name, array in work.state()[0].items():
        np.testing.assert_array_equal(array, before[name])
    hidden = made.kernels.flat(work.gates.weights())[raw <= 0]
    assert np.count_nonzero(hidden) == len(hidden), "masks set no weight to zero"


def test_weights_that_read_nothing_close(rng):
    """A second channel of the images is 0, so a block of the first kernel is of no use.

    Its derivatives are 0, and the pull alone moves its gates.
    """
    splits = [
        (np.concatenate([s.images, 0 * s.images], axis=-1), s.labels)
        for s in (digits().train, digits().validation, digits().test)
    ]
    dataset = ns_tf.from_arrays(splits[0], validation=splits[1], test=splits[2])
    keras.utils.set_random_seed(0)
    layers = keras.layers
    image = keras.Input((8, 8, 2))
    x = layers.Conv2D(7, 3, activation="relu", name="conv")(image)
    x = layers.Dense(10, name="out")(layers.GlobalAveragePooling2D()(x))
    options = {"method": "autoprune", "gate_epochs": 3, "gate_batch": 50}
    made = pruner(
        keras.Model(image, x), dataset, level="weight", nonzero=0.6, **options
    )
    open_ = made.kernels.shaped(made.score() > 0)["conv", "kernel"]
    assert not open_[:, :, 1].any() and open_[:, :, 0].any()
