"""Who shares out pieces of work: one process, several, several machines."""
