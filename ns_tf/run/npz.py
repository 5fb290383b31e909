"""Arrays of an .npz file, which is checked against the memory before it is read.

A member says how large it is, in the table of the archive and in its own header. A file
of a few bytes may claim terabytes, or hold them as zeros that were compressed.
"""

import math
import zipfile
from pathlib import Path

import numpy as np

from ns_tf.run.memory import check_memory
from ns_tf.run.paths import opened

_SUFFIX = ".npy"


def read(path: str | Path) -> dict[str, np.ndarray]:
    """All arrays of the file, by name.

    Args:
        path: As `numpy.savez` and `numpy.savez_compressed` write them.

    Raises:
        InputError: it is no regular file, or its arrays do not fit into the memory.
        OSError, ValueError, EOFError, zipfile.BadZipFile: it is missing or damaged, or
            has more than plain arrays.
    """
    with opened(path) as file, zipfile.ZipFile(file) as archive:
        members = archive.infolist()
        check_memory(sum(one.file_size for one in members), f"What {path} holds")
        return {
            one.filename.removesuffix(_SUFFIX): _array(archive, one) for one in members
        }


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> np.ndarray:
    """The array of a member; ValueError if it is shorter or longer than it claims."""
    with archive.open(member) as file:
        version = np.lib.format.read_magic(file)
        if version == (1, 0):
            shape, _, kind = np.lib.format.read_array_header_1_0(file)
        else:
            shape, _, kind = np.lib.format.read_array_header_2_0(file)
        claimed = file.tell() + math.prod(shape) * kind.itemsize
        if claimed != member.file_size and not kind.hasobject:
            raise ValueError(f"{member.filename} is not as long as it claims")
    with archive.open(member) as file:
        # zipfile compares the checksum once a member is read to its end.
        return np.lib.format.read_array(file, allow_pickle=False)
