"""The task's own loss."""

from ns_tf.train import recipes


def test_it_has_no_loss_of_its_own_and_starts_from_what_is_left():
    plain = recipes.get("plain")
    assert plain.formula is None and not plain.fresh and not plain.teacher
