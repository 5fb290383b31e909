"""The controls of pruned rows: their widths from fresh weights."""

import pytest
from toys import toy_setting

from ns_tf.plan import methods


@pytest.mark.parametrize("name", ["scratch", "scratch_b"])
@pytest.mark.parametrize("label", ["", "pruned:taylor_fo", "mine"])
def test_it_is_like_the_row_that_it_names_or_like_the_first(name, label):
    text = f"{name}:{label}" if label else name
    proposal = methods.get(name).propose(toy_setting(text), {"params": 2003.0})
    assert (proposal.like, proposal.widths, proposal.pruning) == (label, None, None)
