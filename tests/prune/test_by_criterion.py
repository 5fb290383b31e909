"""A criterion on a network: files that it continues from, what its scores depend on."""

from trained import learned, pruner

from ns_tf.prune.scoring import SCORING


def test_scores_depend_on_the_budgets_only_in_rounds():
    model, problem = learned()

    def scorer(**asked):
        return pruner(model, problem.dataset, **{"method": "gdp", **asked}).scorer

    once = {"rounds": 1}
    assert scorer(macs=0.5, **once).depends == () == scorer(macs=0.4, **once).depends
    assert scorer(macs=0.5).depends != scorer(macs=0.4).depends
    assert scorer(macs=0.5, **once).checkpoints(SCORING) == [SCORING]
    assert len(scorer(macs=0.5, rounds=3).checkpoints(SCORING)) == 4


def test_nothing_is_trained():
    model, problem = learned()
    made = pruner(model, problem.dataset, method="magnitude", macs=0.5)
    scored = made.scored()
    assert scored.weights is None and not scored.table
    assert made.after(scored) is made
