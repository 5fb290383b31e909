"""Scores: the formulas, what reaches them in training, and which filters then go."""

import hypothesis
import hypothesis.strategies as st
import keras
import numpy as np
import pytest

from ns_tf.base import InputError
from ns_tf.engine.execution import Execution
from ns_tf.graph.walk import channel_graph
from ns_tf.prune import criteria
from ns_tf.prune.criteria import CRITERIA, by_layer
from ns_tf.prune.network import PrunableNetwork
from ns_tf.prune.removal import Prunable, choose

layers = keras.layers

# Formulas.


def test_taylor_fo_of_the_linear_head_is_the_one_by_hand():
    """o = sum w g h, L = mean (o - t)^2 / 2, at g = 1."""
    h = np.array([[1, 2, 0], [3, -1, 4.0]])
    w, t = np.array([1, 0.5, -0.25]), np.array([0, 1.0])
    gradient = ((h @ w - t)[:, None] * w * h).mean(axis=0)
    np.testing.assert_allclose(gradient, [1.75, 0.875, -0.25])
    score = criteria.get("taylor_fo").formula(gradient)
    np.testing.assert_allclose(score, [3.0625, 0.765625, 0.0625])


def test_taylor_fo_squares_before_the_mean_over_minibatches():
    formula = criteria.get("taylor_fo").formula
    minibatches = np.array([[1, 2], [-1, 2.0]])
    np.testing.assert_array_equal(formula(minibatches).mean(axis=0), [1, 4])


def test_magnitude_is_the_l1_norm_of_the_filter_not_of_what_it_reads():
    kernel = np.array([[1, -2], [3, 0.5]])[None, None]
    np.testing.assert_array_equal(criteria.get("magnitude").formula(kernel), [4, 2.5])


def test_magnitude_sums_over_all_axes_but_the_last(rng):
    for shape in [(3, 5, 7, 11), (7, 11), (2, 3, 5, 7, 11)]:
        kernel = rng.normal(size=shape)
        expected = [np.abs(kernel[..., f]).sum() for f in range(11)]
        np.testing.assert_allclose(criteria.get("magnitude").formula(kernel), expected)


def test_random_is_the_noise(rng):
    noise = rng.random(13)
    np.testing.assert_array_equal(criteria.get("random").formula(noise), noise)


def test_criteria_say_what_they_read_and_where_they_hold():
    found = {name: criteria.get(name) for name in ("taylor_fo", "magnitude", "random")}
    assert {n: (c.reads, c.scope) for n, c in found.items()} == {
        "taylor_fo": ("gate_gradient", "global"),
        "magnitude": ("kernel", "layer"),
        "random": ("noise", "global"),
    }


def test_an_unknown_criterion_suggests_the_nearest():
    with pytest.raises(
        InputError, match="criterion 'taylor'. Did you mean 'taylor_fo'"
    ):
        criteria.get("taylor")


def test_a_criterion_must_name_what_it_reads_and_where_it_holds():
    before = CRITERIA.names()
    with pytest.raises(ValueError, match="got 'global', 'gradient'"):
        criteria.criterion("new", scope="global")(lambda gradient: gradient)
    with pytest.raises(ValueError, match="got 'everywhere', 'noise'"):
        criteria.criterion("new", scope="everywhere")(lambda noise: noise)
    with pytest.raises(ValueError, match="'random' is registered twice"):
        criteria.criterion("random", scope="global")(lambda noise: noise)
    with pytest.raises(ValueError):
        criteria.criterion("new", scope="global")(lambda noise, kernel: noise)
    assert CRITERIA.names() == before


# Scores in training.


def network(model, *, criterion="taylor_fo", batch=7, graph=None) -> PrunableNetwork:
    return PrunableNetwork(
        model,
        graph or channel_graph(model),
        criterion=criteria.get(criterion),
        execution=Execution(),
        batch_size=batch,
        momentum=0.5,
        weight_decay=5e-4,
    )


def made_by(graph, name) -> np.ndarray:
    (group,) = (group for group in graph.groups if name in group.makers)
    return group.channels


def test_the_score_is_the_square_of_the_gate_gradient_by_hand(rng, float64):
    """h = image[3] W, logits = h V: no batch norm, so the gates are a layer."""
    image = keras.Input((3,), name="image")
    x = layers.Dense(5, use_bias=False, name="hidden")(image)
    model = keras.Model(image, layers.Dense(2, use_bias=False, name="logits")(x))
    w, v = rng.normal(size=(3, 5)), rng.normal(size=(5, 2))
    model.set_weights([w, v])
    pruned = network(model)
    expected = np.zeros(5)
    for _ in range(2):
        images, labels = rng.normal(size=(7, 3)), rng.integers(0, 2, 7)
        h = images @ w
        p = np.exp(h @ v)
        p /= p.sum(axis=1, keepdims=True)
        d_logits = (p - np.eye(2)[labels]) / 7
        expected += (h * (d_logits @ v.T)).sum(axis=0) ** 2
        pruned.train(images, labels, 0.0)
    scores = pruned.score_sums()[made_by(pruned.graph, "hidden")]
    np.testing.assert_allclose(scores, expected, rtol=1e-10)
    pruned.forget()
    assert (pruned.score_sums() == 0).all()


def planted(rng) -> keras.Model:
    """conv[5] - BN - ReLU - conv[7] - BN - ReLU - average - logits, with planted
    channels: 0 is read by nobody, 1 is dead, 2 is constant, 3 and 4 are ordinary."""
    image = keras.Input((6, 7, 3), name="image")
    x = image
    for name, filters in (("a", 5), ("b", 7)):
        x = layers.Conv2D(filters, 3, name=name)(x)
        x = layers.BatchNormalization(name=f"{name}_bn")(x)
        x = layers.ReLU(name=f"{name}_relu")(x)
    x = layers.GlobalAveragePooling2D(name="average")(x)
    model = keras.Model(image, layers.Dense(2, name="logits")(x))
    kernel = rng.normal(size=(3, 3, 5, 7))
    kernel[:, :, 0] = 0
    model.get_layer("b").kernel.assign(kernel)
    model.get_layer("a_bn").gamma.assign([1.1, 0, 0, 0.9, -0.8])
    model.get_layer("a_bn").beta.assign([0.3, 0, 0.7, 0.2, 0.4])
    model.get_layer("b_bn").beta.assign(rng.uniform(0.2, 0.5, 7))
    return model


def batches(rng, count, *, classes=2):
    for _ in range(count):
        yield (
            rng.normal(size=(7, 6, 7, 3)).astype("float32"),
            rng.integers(0, classes, 7).astype("int32"),
        )


def test_taylor_fo_finds_the_planted_channels(rng):
    pruned = network(planted(rng))
    for images, labels in batches(rng, 3):
        pruned.train(images, labels, 0.0)
    a = made_by(pruned.graph, "a")
    scores = pruned.score_sums()
    assert (scores[a[:2]] == 0).all()
    assert (scores[a[2:]] > 0).all()
    b = made_by(pruned.graph, "b")
    assert (scores[b] > 0).all()
    prunable = Prunable((a, b), ())
    chosen = choose(scores, pruned.alive, prunable, count=2)
    assert set(chosen) == set(a[:2])


def test_magnitude_sees_none_of_the_planted_channels(rng):
    """It reads the filter's own kernel: METHODS 2.2's blind spot."""
    pruned = network(planted(rng), criterion="magnitude")
    for images, labels in batches(rng, 1):
        pruned.train(images, labels, 0.0)
    assert (pruned.score_sums() == 0).all()  # Nothing is scored in the step.
    kernels = dict((tuple(numbers), kernel) for numbers, kernel in pruned.kernels())
    a = made_by(pruned.graph, "a")
    scores = criteria.get("magnitude").formula(kernels[tuple(a)])
    assert (scores > 0).all()


def test_a_batch_norm_that_is_not_trained_is_scored_all_the_same(rng):
    model = planted(rng)
    model.get_layer("b_bn").trainable = False
    pruned = network(model)
    for images, labels in batches(rng, 1):
        pruned.train(images, labels, 0.0)
    assert (pruned.score_sums()[made_by(pruned.graph, "b")] > 0).any()


def kernel_scores(pruned) -> np.ndarray:
    """[n]: what `ns_tf.pruning` makes of the kernels."""
    scores = np.zeros(len(pruned.alive))
    for numbers, kernel in pruned.kernels():
        np.add.at(scores, numbers, pruned.criterion.formula(kernel))
    return scores


@pytest.mark.parametrize("coincide", [False, True])
def test_magnitude_is_the_same_before_and_after_thinning(coincide, rng):
    """Even where an identity has become a selection matrix."""

    def build(stem, inner, outer):
        image = keras.Input((6, 7, 3), name="image")
        x = layers.Conv2D(stem, 1, name="stem")(image)
        y = layers.Conv2D(inner, 1, name="inner")(layers.ReLU(name="relu")(x))
        y = layers.Conv2D(outer, 1, name="outer")(y)
        if stem != outer:
            x = layers.Conv2D(outer, 1, name="project")(x)
        x = layers.Add(name="add")([y, x])
        x = layers.GlobalAveragePooling2D(name="average")(x)
        return keras.Model(image, layers.Dense(2, name="logits")(x))

    reference = channel_graph(build(5, 7, 11))
    model = build(*(11, 7, 11) if coincide else (5, 7, 11))
    graph = channel_graph(model, reference)
    pruned = network(model, criterion="magnitude", graph=graph)
    pruned.close(np.array([made_by(graph, "stem")[1], made_by(graph, "outer")[3]]))
    before = kernel_scores(pruned)
    pruned.compact()
    after = kernel_scores(pruned)
    np.testing.assert_allclose(after[pruned.alive], before[pruned.alive], rtol=1e-6)


@pytest.mark.parametrize(
    "name", ["chain", "concat", "dense_block", "depthwise", "residual", "no_norm"]
)
def test_scores_and_weights_are_the_same_whether_closed_or_gone(
    name, handmade, rng, float64
):
    """When to thin is a question of speed alone."""
    keras.utils.set_random_seed(7)
    model = handmade[name]()
    graph = channel_graph(model)
    steps = list(batches(rng, 4, classes=5))
    keep = (rng.random(len(graph.owner)) < 0.6) | graph.frozen
    for group in graph.groups:
        keep[rng.choice(group.channels)] = True

    def run(thin: bool):
        copy = keras.models.clone_model(model)
        copy.set_weights(model.get_weights())
        pruned = network(copy, graph=graph)
        for number, (images, labels) in enumerate(steps):
            if number == 2:
                pruned.close(np.flatnonzero(~keep))
                pruned.forget()
                if thin:
                    pruned.compact()
            loss = pruned.train(images.astype("float64"), labels, 0.05)
        return pruned, float(loss)

    (wide, one), (thin, other) = run(False), run(True)
    assert thin.model.count_params() < wide.model.count_params()
    np.testing.assert_allclose(one, other, rtol=1e-9)
    scores = wide.score_sums()
    np.testing.assert_allclose(thin.score_sums()[keep], scores[keep], rtol=1e-6)
    assert (scores[~keep] == 0).all()
    assert (scores[keep & ~graph.frozen] > 0).mean() > 0.5


# Which filters go.


@st.composite
def events(draw):
    """Scores, what is alive, widths and followers of a network of 2 to 5 layers."""
    sizes = draw(st.lists(st.integers(1, 11), min_size=2, max_size=5))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    factor, leader = draw(st.integers(1, 3)), draw(st.integers(0, len(sizes) - 1))
    numbers = rng.permutation(sum(sizes) + factor * sizes[leader])
    *widths, tail = np.split(numbers, np.cumsum(sizes))
    alive = np.ones(len(numbers), bool)
    for channels_of_width in widths:
        dead = rng.integers(0, len(channels_of_width))
        alive[channels_of_width[:dead]] = False
        if channels_of_width is widths[leader]:
            alive[tail[: factor * dead]] = False
    # Few different scores, so that many are equal.
    scores = rng.choice([0.0, 0.5, 1.0, rng.random(), rng.random()], len(numbers))
    return scores, alive, Prunable(tuple(widths), ((tail, leader, factor),))


LIMITS = {"count": st.integers(1, 17), "min_width": st.integers(1, 5)}


@hypothesis.given(event=events(), **LIMITS)
def test_no_layer_goes_below_the_least_width(event, count, min_width):
    scores, alive, prunable = event
    chosen = choose(scores, alive, prunable, count=count, min_width=min_width)
    before = prunable.count(alive)
    alive[chosen] = False
    for old, new in zip(before, prunable.count(alive), strict=True):
        assert new == old or new >= min_width


@hypothesis.given(event=events(), **LIMITS)
def test_as_many_filters_go_as_were_asked_for_or_can(event, count, min_width):
    scores, alive, prunable = event
    can = sum(max(0, width - min_width) for width in prunable.count(alive))
    chosen = choose(scores, alive, prunable, count=count, min_width=min_width)
    assert len(set(chosen)) == len(chosen)
    assert alive[chosen].all()
    filters = np.isin(chosen, np.concatenate(prunable.widths)).sum()
    assert filters == min(count, can)


@hypothesis.given(event=events(), **LIMITS)
def test_what_goes_scores_no_higher_than_what_could_have_gone(event, count, min_width):
    scores, alive, prunable = event
    chosen = choose(scores, alive, prunable, count=count, min_width=min_width)
    filters = [c for c in chosen if any(c in width for width in prunable.widths)]
    alive[chosen] = False
    for width in prunable.widths:
        left = width[alive[width]]
        gone = [c for c in filters if c in width]
        if gone and len(left):  # Within the layer.
            assert scores[gone].max() <= scores[left].min()
        if filters and len(left) > min_width:  # Over all layers.
            assert scores[filters].max() <= scores[left].min()


@hypothesis.given(event=events(), **LIMITS)
def test_followers_keep_their_multiple_and_their_highest_scores(
    event, count, min_width
):
    scores, alive, prunable = event
    ((tail, leader, factor),) = prunable.followers
    chosen = choose(scores, alive, prunable, count=count, min_width=min_width)
    alive[chosen] = False
    left, gone = tail[alive[tail]], np.intersect1d(chosen, tail)
    assert len(left) == factor * prunable.count(alive)[leader]
    if len(gone):
        assert scores[gone].max() <= scores[left].min()


@hypothesis.given(event=events(), **LIMITS)
def test_stop_ends_where_exempt_would_have_spared_a_layer(event, count, min_width):
    scores, alive, prunable = event
    options = {"count": count, "min_width": min_width}
    exempt = choose(scores, alive, prunable, **options)
    stop = choose(scores, alive, prunable, at_min_width="stop", **options)
    # The lowest scores, had every layer filters to lose.
    filters = np.concatenate(prunable.widths)
    filters = filters[alive[filters]]
    lowest = filters[np.argsort(scores[filters], kind="stable")][:count]
    alive[lowest] = False
    fits = all(
        width >= min_width or not np.isin(channels_of_width, lowest).any()
        for width, channels_of_width in zip(
            prunable.count(alive), prunable.widths, strict=True
        )
    )
    if fits:
        np.testing.assert_array_equal(stop, exempt)
    else:
        assert len(stop) == 0


def test_stop_ends_only_where_a_layer_would_lose_its_last():
    prunable = Prunable((np.arange(2), np.arange(2, 9)), ())
    scores, alive = np.arange(9.0), np.ones(9, bool)
    options = {"at_min_width": "stop", "min_width": 1}
    np.testing.assert_array_equal(
        choose(scores, alive, prunable, count=1, **options), [0]
    )
    assert len(choose(scores, alive, prunable, count=2, **options)) == 0
    np.testing.assert_array_equal(
        choose(scores, alive, prunable, count=3, min_width=1), [0, 2, 3]
    )


def test_equal_scores_go_in_the_order_of_the_layers():
    prunable = Prunable((np.array([4, 2]), np.array([0, 3, 1])), ())
    chosen = choose(np.zeros(5), np.ones(5, bool), prunable, count=3)
    np.testing.assert_array_equal(chosen, [4, 0, 3])


@hypothesis.given(
    sizes=st.lists(st.integers(2, 31), min_size=2, max_size=5),
    seed=st.integers(0, 2**32 - 1),
)
def test_of_one_layers_scores_the_layers_shrink_alike(sizes, seed):
    """However far apart the layers' scales are, shares never differ by two filters."""
    rng = np.random.default_rng(seed)
    parts = np.split(rng.permutation(sum(sizes)), np.cumsum(sizes)[:-1])
    prunable, alive = Prunable(tuple(parts), ()), np.ones(sum(sizes), bool)
    scores = rng.random(sum(sizes))
    for part in parts:
        scores[part] *= 10.0 ** rng.integers(-5, 6)
    given_scores = scores.copy()
    for _ in range(4):
        chosen = choose(scores, alive, prunable, count=sum(sizes) // 5, scope="layer")
        alive[chosen] = False
        for part in parts:
            left, gone = part[alive[part]], part[~alive[part]]
            assert len(left) >= 1
            if len(gone):
                assert scores[gone].max() <= scores[left].min()
        lost = [(~alive[part]).sum() / len(part) for part in parts if len(part) > 5]
        slack = 2 / min((len(part) for part in parts if len(part) > 5), default=1)
        assert max(lost, default=0) - min(lost, default=0) <= slack
    np.testing.assert_array_equal(scores, given_scores)


def test_shares_of_a_layer_are_what_would_be_gone():
    shares = by_layer(np.array([0.3, 0.1, 0.2]), 2)
    np.testing.assert_allclose(shares, [5 / 5, 3 / 5, 4 / 5])
    np.testing.assert_allclose(by_layer(np.zeros(4), 0), [0.25, 0.5, 0.75, 1])
