"""What labels mean: one file a task."""
