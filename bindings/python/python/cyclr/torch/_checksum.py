"""A checksum of the data of a training."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any, Optional

import torch
from torch.utils.data import TensorDataset

from cyclr.torch._examples import source_and_places

MOST_BYTES = 2**26
"""Larger tensors are not read: this takes a tenth of a second for each process."""
_INTEGERS = (torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)


def checksum_of(train: Any, held_out: Mapping[str, Any]) -> Optional[str]:
    """The CRC-32 of the integers (labels, tokens, pixels) in the examples of each split.

    Only a `TensorDataset` on the CPU is read, or subsets of one: other data sets may compute their
    examples. Its floats are not, as they may be rounded otherwise on another machine. If nothing is
    read, it is the CRC-32 of the places that the held-out examples have in their data set; ``None``
    if these are not known.
    """
    integers = _told({name: _crc(data) for name, data in {"train": train, **held_out}.items()})
    if integers is not None:
        return f"CRC-32 of the integers in {integers}"
    places = _told({name: _crc_of_places(data) for name, data in held_out.items()})
    return None if places is None else f"CRC-32 of the places of {places}"


def _told(crcs: Mapping[str, Optional[int]]) -> Optional[str]:
    return ", ".join(f"{name} {crc:08x}" for name, crc in crcs.items() if crc is not None) or None


def _crc_of_places(loader: Any) -> Optional[int]:
    places = source_and_places(loader)[1]
    return None if places is None else zlib.crc32(torch.tensor(list(places)).numpy().tobytes())


def _crc(loader: Any) -> Optional[int]:
    data, places = source_and_places(loader)
    if type(data) is not TensorDataset or places is None:
        return None
    tensors = [one for one in data.tensors if one.dtype in _INTEGERS and one.device.type == "cpu"]
    if not tensors or sum(one.nbytes for one in tensors) > MOST_BYTES:
        return None
    crc = 0
    for one in tensors:
        crc = zlib.crc32(one[list(places)].contiguous().numpy().tobytes(), crc)
    return crc
