"""Iterative pruning (algorithm 1), and pruning of trained networks.

`criteria/` holds formulas, `signals/` what they read, `network` the network that gets
thinner, `removal` the choice of channels, `iterative` the algorithm.
"""
