"""Read the log file that W&B writes for a run; wandb 0.31 has no reader of its own.

A `.wandb` file is a 7-byte header, then a LevelDB log (blocks of 32 KiB holding chunks: CRC-32 of type and data,
length, type, data) of protobuf records.
"""

import struct
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from upath import UPath
from wandb.proto.wandb_internal_pb2 import Record  # pyrefly: ignore[missing-module-attribute]

from study.storage import read_bytes
from wbc_model.errors import Damaged

MAGIC = b":W&B"
FILE_HEADER = 7
CHUNK_HEADER = struct.Struct("<IHB")
BLOCK = 32 * 1024
FULL, LAST = 1, 4


def read_log(file: Path | UPath) -> Iterator[Record]:
    """The complete records of a log: after a crash, its end may be cut off.

    Raises:
        Damaged: the file is no W&B log, or is damaged before its end.
    """
    data = read_bytes(UPath(file))
    if data[: len(MAGIC)] != MAGIC[: len(data)]:
        raise Damaged(f"{file} is not a W&B log: it begins with {data[: len(MAGIC)]!r}, not {MAGIC!r}")
    try:
        yield from map(Record.FromString, _messages(data))
    except ValueError as error:
        raise Damaged(f"{file} is a damaged W&B log: {error}") from error


def values(items: Iterable[Any]) -> dict[str, str]:
    """Entries of a history or summary record, as JSON by name."""
    return {item.key or item.nested_key[0]: item.value_json for item in items}


def is_complete(file: Path) -> bool:
    """Whether the run was closed and all of it has been written to the file."""
    return any(record.WhichOneof("record_type") == "exit" for record in read_log(file))


def _messages(data: bytes) -> Iterator[bytes]:
    parts: list[bytes] = []
    at = FILE_HEADER
    while at + CHUNK_HEADER.size <= len(data):
        if (left := BLOCK - at % BLOCK) < CHUNK_HEADER.size:
            at += left
            continue
        checksum, length, kind = CHUNK_HEADER.unpack_from(data, at)
        end = at + CHUNK_HEADER.size + length
        if end > len(data) or zlib.crc32(data[at + CHUNK_HEADER.size - 1 : end]) != checksum:
            if data[end:].strip(b"\0"):
                raise ValueError(f"the checksum of the chunk at byte {at} is wrong, and data follows it")
            return
        parts.append(data[at + CHUNK_HEADER.size : end])
        if kind in (FULL, LAST):
            yield b"".join(parts)
            parts = []
        at = end
