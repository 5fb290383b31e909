"""What every run needs: flags, files, folders, checkpoints, progress."""
