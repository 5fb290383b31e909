"""Iterative pruning (algorithm 1)."""
