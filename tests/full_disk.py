"""A disk that is full: fault injection at the layer that writes files."""

import contextlib
import errno
import io
import itertools
from unittest import mock

from ns_tf.run import files


class Disk:
    """Counts the files that are written; `full` says whether one could not be."""

    def __init__(self, write):
        self.write, self.count, self.full = write, itertools.count(1), False

    def open(self, path, mode):
        """As `open`, but of the file at which the disk is full."""
        last = next(self.count) == self.write
        disk = self

        class File(io.FileIO):
            def write(self, data):
                if not last:
                    return super().write(data)
                disk.full = True
                super().write(bytes(data)[:1])
                raise OSError(errno.ENOSPC, "No space left on device")

        return File(path, mode.replace("b", ""))


@contextlib.contextmanager
def full_disk(write):
    """A block whose `write`-th file does not fit on the disk.

    Args:
        write: Counted from 1.
    """
    disk = Disk(write)
    with mock.patch.object(files, "open", disk.open, create=True):
        yield disk
