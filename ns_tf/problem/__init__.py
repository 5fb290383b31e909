"""Which network, on which data, for which task."""
