"""
Tensors of a safetensors file: a length, a header in JSON, then the numbers.

The file is mapped, not read: processes share the pages, and hold those alone that were asked for.
https://github.com/huggingface/safetensors#format
"""

from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any

import msgspec

_KINDS = {"F16": "<f2", "F32": "<f4"}


def tensors(file: Path) -> dict[str, Any]:
    """The tensors of numbers with a point, by name, as arrays of numpy."""
    import numpy as np  # noqa: PLC0415 - a process that embeds nothing needs neither time nor memory

    with file.open("rb") as opened:
        content = mmap(opened.fileno(), 0, access=ACCESS_READ)
    begin = 8 + int.from_bytes(content[:8], "little")
    found = {}
    for name, tensor in msgspec.json.decode(content[8:begin]).items():
        kind = _KINDS.get(tensor.get("dtype", ""))
        if kind is not None:
            first, last = tensor["data_offsets"]
            count = (last - first) // np.dtype(kind).itemsize
            numbers = np.frombuffer(content, kind, count=count, offset=begin + first)
            found[name] = numbers.reshape(tensor["shape"])
    return found
