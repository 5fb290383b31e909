"""Epitomes in place of kernels: which layers, how large, within budgets."""
