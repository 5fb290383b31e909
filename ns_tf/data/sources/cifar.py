"""CIFAR-10 and CIFAR-100, with the constants and crops that publications use."""

import dataclasses

import numpy as np

from ns_tf.data.dataset import Dataset
from ns_tf.data.sources import Request, source, tfds

# Of the pixels of the 50,000 training images: (mean, standard deviation).
STATISTICS = {
    "cifar10": ((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)),
    "cifar100": ((0.5071, 0.4865, 0.4409), (0.2673, 0.2564, 0.2762)),
}


@source("cifar10")
@source("cifar100")
def load_cifar(request: Request) -> Dataset:
    """50,000 training and 10,000 test images of 32 x 32 from TFDS.

    Training images move by up to 4 pixels and are mirrored at random. Mean and standard
    deviation are the published ones of all 50,000, whatever is held out.

    Args:
        request: Of `cifar10` or `cifar100`, with a version of TFDS if any.

    Raises:
        InputError: if TFDS has not prepared it and cannot download it.
    """
    mean, std = STATISTICS[request.name.partition(":")[0]]
    return dataclasses.replace(
        tfds.read(request.name, request),
        mean=np.array(mean, np.float32),
        std=np.array(std, np.float32),
        flip=True,
    )
