"""Fresh weights at equal cost."""

from trained import learned, pruner

from ns_tf.prune.config import FinetuneConfig


def test_a_quarter_of_the_multiply_adds_has_four_times_the_epochs():
    model, problem = learned()
    made = pruner(model, problem.dataset, method="random", macs=0.25)
    widths = made.solve(made.score()).widths
    config = FinetuneConfig(recipe="scratch_b", finetune_epochs=10)
    (work,) = made.tunings(widths, config)
    assert 40 <= work.settings.epochs <= 44 and work.settings.rate == 0.1
    assert work.fresh and work.objective is None
