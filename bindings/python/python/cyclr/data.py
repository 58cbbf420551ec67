"""A data set that needs no download: 10,000 training and 2,000 test images of Fashion-MNIST, 28 x 28 gray.

Fashion-MNIST is by Zalando Research (Xiao, Rasul and Vollgraf, arXiv 1708.07747; MIT licence). Needs NumPy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from cyclr import _cyclr

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


class Part(NamedTuple):
    """Images, 0 to 255, shaped (examples, 28, 28), and their labels, counted from 0."""

    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64]


class FashionMnist(NamedTuple):
    """The three parts and the names of the ten classes."""

    train: Part
    validation: Part
    test: Part
    classes: list[str]


def fashion_mnist(*, validation: int = 1000, data_seed: int = 0) -> FashionMnist:
    """The embedded data set, with ``validation`` examples set aside from the training part.

    The cut takes the same share of every class and is that of ``cyclr train``: it depends on ``data_seed`` alone.
    """
    parts, classes = _cyclr.fashion_mnist(validation, data_seed)
    train, held_out, test = (Part(images[..., 0], labels) for images, labels in parts)
    return FashionMnist(train, held_out, test, classes)
