"""What every criterion declares, and how scores of layers are made comparable."""

import functools

import keras
import numpy as np
import pytest
from papers import LARGE, registered
from picked import picked
from small import QUICK, chain, problem, replaced

from ns_tf.base import Architecture, InputError
from ns_tf.graph import gates
from ns_tf.graph.thin import rebuild
from ns_tf.networks import architectures
from ns_tf.networks.structure import analyse, shapes_only
from ns_tf.prune import criteria
from ns_tf.prune.config import PruneConfig
from ns_tf.prune.criteria import CRITERIA, by_layer
from ns_tf.prune.iterative import prune_trace
from ns_tf.prune.removal import Prunable, choose

TINY = Architecture("tiny", (7, 11), chain)
SEARCHING = [name for name in CRITERIA.names() if criteria.get(name).in_search]


def test_criteria_say_what_they_read_and_where_they_hold():
    members = {
        name: criteria.get(name) for name in ("taylor_fo", "magnitude", "random")
    }
    assert {n: (c.reads, c.scope) for n, c in members.items()} == {
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
    with pytest.raises(ValueError, match="'noise', 'kernel'"):
        criteria.criterion("new", scope="global")(lambda noise, kernel: noise)
    with pytest.raises(TypeError, match="'colour'"):
        criteria.criterion("new", scope="global", colour=1)(lambda noise: noise)
    assert CRITERIA.names() == before


def test_shares_of_a_layer_are_what_would_be_gone():
    shares = by_layer(np.array([0.3, 0.1, 0.2]), 2)
    np.testing.assert_allclose(shares, [5 / 5, 3 / 5, 4 / 5])
    np.testing.assert_allclose(by_layer(np.zeros(4), 0), [0.25, 0.5, 0.75, 1])


def test_presets_are_those_of_the_papers():
    members = {name: criteria.get(name) for name in CRITERIA.names()}
    ranked = {n for n, c in members.items() if c.allocation == "ranking"}
    assert ranked == {"taylor_fo", "taylor_fg", "taylor_2016", "curl_kl", "gdp"}
    assert members["curl_kl"].images == 256 and members["curl_kl"].least_share == 0.3
    assert [n for n, c in members.items() if c.by_norm] == ["taylor_2016"]
    rounds = {n: (c.rounds, c.closed) for n, c in members.items() if c.rounds > 1}
    assert rounds == {"gdp": (8, "reopen")}


@pytest.mark.parametrize("name", sorted(set(CRITERIA.names()) - set(SEARCHING)))
def test_what_reads_a_trained_network_is_refused_by_a_search_in_one_line(name):
    with pytest.raises(InputError, match=rf"--criterion={name} .*prune\(method=") as e:
        PruneConfig(criterion=name)
    assert "\n" not in str(e.value)


# Every criterion on every architecture.


@functools.cache
def network(name: str):
    """(structure, model without values, its graph) at five filters a layer."""
    architecture = TINY if name == "tiny" else architectures.get(name)
    structure = analyse(architecture, (32, 32, 3), 3)
    model = shapes_only(structure.build, [5] * len(structure.primary))
    return structure, model, structure.graph(model)


@pytest.mark.parametrize("name", [*registered(slow=LARGE), "tiny"])
@pytest.mark.parametrize("criterion", SEARCHING)
def test_every_criterion_ranks_the_filters_of_every_architecture(name, criterion, rng):
    structure, model, graph = network(name)
    member = criteria.get(criterion)
    scores = np.zeros(len(graph.owner))
    if member.reads == "kernel":
        for (layer, weight), axes in graph.axes.items():
            if weight == "kernel" and axes[-1] is not None:
                kernel = rng.normal(size=model.get_layer(layer).kernel.shape)
                np.add.at(scores, axes[-1], member.formula(kernel))
    else:
        scores = member.formula(rng.normal(size=len(scores)))
    assert scores.shape == graph.owner.shape and np.isfinite(scores).all()
    prunable, alive = Prunable.of(structure, graph), np.ones(len(scores), bool)
    chosen = choose(scores, alive, prunable, count=3, scope=member.scope)
    alive[chosen] = False
    assert sum(prunable.count(alive)) == 5 * len(structure.primary) - 3
    with keras.StatelessScope(initialize_variables=False):
        thin, _ = rebuild(model, graph, alive, gates.place(graph))
    for width, numbers in zip(prunable.count(alive), prunable.widths, strict=True):
        for maker in graph.groups[graph.owner[numbers[0]]].makers:
            layer = thin.get_layer(maker)
            made = (
                layer.units if isinstance(layer, keras.layers.Dense) else layer.filters
            )
            assert made == width


# gdp reads what taylor_fo reads.
@pytest.mark.parametrize("criterion", picked(lambda name: name != "gdp", SEARCHING))
def test_every_criterion_prunes_in_training(criterion):
    work = problem(chain, (7, 11))
    config = replaced(
        QUICK, criterion=criterion, filters_per_event=5, stop_fraction=0.2
    )
    trace = prune_trace(work, (7, 11), config)
    assert trace.names == ("conv1", "conv2")
    np.testing.assert_array_equal(trace.history.sum(axis=1), [13, 8, 4])
    np.testing.assert_array_equal(trace.tau, work.structure.params(trace.widths))
    assert len(trace.widths) >= 1


@pytest.mark.parametrize("criterion", SEARCHING)
def test_every_criterion_keeps_what_scores_most_whatever_the_order(criterion, rng):
    """The filters of a layer may stand in any order: so do their scores."""
    member = criteria.get(criterion)
    values = rng.normal(size=(3, 5, 7, 11) if member.reads == "kernel" else 11)
    order = rng.permutation(11)
    scores = member.formula(values)
    assert scores.shape == (11,)
    np.testing.assert_allclose(member.formula(values[..., order]), scores[order])
    np.testing.assert_array_equal(
        np.argsort(by_layer(scores, 3)), np.argsort(scores, kind="stable")
    )
