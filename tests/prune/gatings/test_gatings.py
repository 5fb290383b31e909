"""What every gating does: it trains, resumes, keeps budgets, and leaves its gates."""

import keras
import numpy as np
import pytest
from small import Ended, KilledAt, kept_at
from trained import learned, noise_images, pruner, walked

from ns_tf.base import InputError
from ns_tf.engine.runtime import Runtime
from ns_tf.graph import weights
from ns_tf.graph.gated import GatedNetwork
from ns_tf.prune import gatings
from ns_tf.prune.bank import Bank
from ns_tf.prune.formulas import BankGates, GeneratedGates, ScheduledGates
from ns_tf.prune.gatings import GATINGS, gating
from ns_tf.prune.method import Scored
from ns_tf.prune.scoring import SCORING

pytestmark = pytest.mark.usefixtures("curvatures_once")
SHORT = {"gate_epochs": 2, "gate_batch": 100, "repair": "statistics", "macs": 0.5}
WEIGHTS = [n for n in GATINGS.names() if "channel" not in GATINGS.get(n).levels]
BANKS = [n for n in GATINGS.names() if isinstance(GATINGS.get(n).formulas, BankGates)]


def pressed(name, model, dataset, **others):
    asked = {**SHORT, **others}
    if name in WEIGHTS:
        asked |= {"level": "weight", "nonzero": asked.pop("macs")}
    return pruner(model, dataset, method=name, **asked)


def resumed(name):
    """(a pruner, itself after its gates have learned, what stays then).

    From a state half way they come to the same bits; the network is not changed.
    """
    model, problem = learned()
    before = weights.values(model)
    made = pressed(name, model, problem.dataset)
    made.check()
    work = made.scorer.learning(Runtime())
    state = walked(work, saved_at=6)
    scored = Scored(work.gates.scores(), work.gates.weights(), work.table())
    work.restore(*state)
    walked(work)
    np.testing.assert_array_equal(work.gates.scores(), scored.scores)
    for key, value in work.gates.weights().items():
        np.testing.assert_array_equal(scored.weights[key], value)
    for column, values in work.table().items():
        np.testing.assert_array_equal(scored.table[column], values)
    assert np.isfinite(scored.scores).all() and work.table()["step"][-1] == work.total
    for key, value in weights.values(model).items():
        np.testing.assert_array_equal(value, before[key], "it is not changed")
    after = made.after(scored)
    assert after.model is not made.model and after.whole is model
    found = after.solve(scored.scores)
    ((budget, own),) = made.budgets.own.items()
    assert 0.45 < found.costs[budget] / own <= 0.5
    return made, after, after.chosen(scored.scores, found.widths)


# Gates of blocks and of weights learn by these, and go on from a state, in their tests.
ELSEWHERE = ("autoprune", "gal", "gradual")
# It learns, is killed and goes on below, and is cut in `test_given`.
KILLED = ("sss",)
# Another one of their kind prunes here.
ALIKE = ("logistic_sigmoid", "morphnet")


@pytest.mark.parametrize("name", ALIKE)
def test_gatings_learn_from_any_state_to_the_same_bits_and_keep_the_budget(name):
    made, _, keep = resumed(name)
    assert sum(made.prunable.count(keep)) < sum(made.widths)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(
            name,
            marks=pytest.mark.slow if name in (*ELSEWHERE, *KILLED, *ALIKE) else (),
        )
        for name in GATINGS.names()
    ],
)
def test_every_gating_prunes_a_network_that_has_learned(name):
    """From a state half way it comes to the same bits; the budget is kept."""
    made, after, keep = resumed(name)
    _, accuracies = after.cut_and_repair(keep)
    trained = made.accuracy(learned()[0], "validation")
    assert accuracies["trained"] == trained > 0.5
    assert accuracies["repaired"] > 0.12


@pytest.fixture(scope="module")
def sparse():
    """(a pruner, what its gates have come to in an epoch); to be read only."""
    model, problem = learned()
    made = pressed("sss", model, problem.dataset, gate_epochs=1)
    return made, made.scored()


def test_a_learning_that_is_killed_goes_on_to_the_same_bits(sparse, tmp_path):
    made, plain = sparse
    with pytest.raises(Ended):
        made.scored(kept_at(tmp_path, progress=KilledAt(3)))
    assert made.scorer.checkpoints(SCORING) == [SCORING]
    assert (tmp_path / SCORING).exists()
    scored = made.scored(kept_at(tmp_path))
    np.testing.assert_array_equal(scored.scores, plain.scores)
    for key, value in plain.weights.items():
        np.testing.assert_array_equal(scored.weights[key], value)


@pytest.mark.parametrize(
    "network, name",
    [
        *(("residual", name) for name in BANKS),
        *(("concat", "sss"), ("depthwise", "sss")),
        *(
            pytest.param(network, name, marks=pytest.mark.slow)
            for network in ("concat", "depthwise")
            for name in BANKS
            if name != "sss"
        ),
    ],
)
def test_what_has_learned_computes_without_gates_what_it_did_with_them(
    name, network, handmade, randomise, rng, float64
):
    model = randomise(handmade[network]())
    made = pressed(name, model, noise_images(rng))
    graph, formulas = made.graph, GATINGS.get(name).formulas
    taking = made.sites.network(model)
    slot = formulas.slot(np.ones(len(graph.owner)), 16)
    bank = Bank(taking, made.sites, formulas, Runtime().execution, slot)
    bank.raw = rng.uniform(0, 2, len(graph.owner))
    gates = np.where(graph.frozen, 1.0, formulas.final(bank.raw))
    images = rng.normal(size=(3, 6, 7, 3))
    rows = np.repeat(np.append(gates, 1.0)[None], 3, axis=0)
    gated = GatedNetwork(model, graph).model
    expected = gated([images, rows], training=False)
    weights.assign(model, bank.weights())
    np.testing.assert_allclose(model(images, training=False), expected, atol=1e-10)


def test_at_the_whole_cost_the_network_comes_back_bit_for_bit(sparse):
    model, problem = learned()
    made = pressed("sss", model, problem.dataset, macs=1.0, gate_epochs=1)
    _, scored = sparse
    after = made.after(scored)
    keep = after.chosen(scored.scores, after.solve(scored.scores).widths)
    small, _ = after.cut_and_repair(keep)
    for one, other in zip(small.weights, model.weights, strict=True):
        np.testing.assert_array_equal(one, other)


def test_formulas_are_of_arrays_alone():
    for name in GATINGS.names():
        member = gatings.get(name)
        assert member.help.endswith(".") and member.epochs >= 1
        formulas, one = member.formulas, np.ones(5)
        generated = isinstance(formulas, GeneratedGates)
        scheduled = isinstance(formulas, ScheduledGates)
        in_layers = generated or scheduled
        usual = ("layer", "uniform") if in_layers else ("global", "ranking")
        assert (member.scope, member.allocation, member.weigh) == (*usual, 0.0)
        if isinstance(formulas, BankGates):
            assert formulas.value(one, 0.5 * one, 0.0).shape == (5,)
            assert formulas.final(one).shape == formulas.score(one).shape == (5,)
            assert formulas.alive(formulas.start * one).all(), "open at the beginning"
            assert 0 < formulas.pace(100) <= 1
        elif generated:
            code = keras.ops.convert_to_numpy(formulas.code(one, 3.0))
            assert code.shape == (5,) and (0 <= code).all() and (code <= 1).all()
            assert formulas.penalty(one, one, one).tolist() == [0] * 5
        elif scheduled:
            assert (formulas.gone(0.0), formulas.gone(1.0)) == (0, 1)
        else:
            pull = keras.ops.convert_to_numpy(formulas.pull(one, 2 * one))
            assert pull.shape == (5,) and (pull > 0).all()


@pytest.mark.slow
def test_a_gating_of_a_program_prunes(monkeypatch):
    """It stands beside the package's own; a name of a criterion is refused."""
    monkeypatch.setattr(GATINGS, "_members", dict(GATINGS._members))

    @gating("fading", help="All gates fade.", epochs=1)
    class Fading(BankGates):
        def step(self, raw, slot, now):
            return raw - 0.01 * now.pull, slot

    model, problem = learned()
    made = pressed("fading", model, problem.dataset, strength=0)
    np.testing.assert_allclose(made.score(), 1.0, err_msg="no strength, no pull")

    gating("random", help="Taken.")(Fading)
    with pytest.raises(InputError, match="of a criterion and of a gating"):
        pressed("random", model, problem.dataset)
