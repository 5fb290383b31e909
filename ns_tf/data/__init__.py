"""Data sets as values, and the batches drawn from them."""
