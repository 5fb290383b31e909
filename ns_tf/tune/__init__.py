"""Tuning by keras-tuner: `python -m ns_tf.tune`.

`space.py` has hyperparameters, `hypermodel.py` networks whose one knob for all widths
is the budget, `networks.py` and `searches.py` the two things that can be tuned,
`oracle.py` keras-tuner's tuners with a state that survives a kill, `work.py` the trials
of a run folder, `leaderboard.py` the table.
"""
