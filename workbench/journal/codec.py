"""Records as bytes and frames as chained hashes. No file is touched here.

A frame's payload is one msgpack array of tagged records. Its hash is blake2b (16 bytes) over the previous
frame's hash, the header (first_seq, count, epoch, ts_ns as little-endian int64) and the payload.
"""

import struct
from hashlib import blake2b
from typing import Final, NamedTuple

import msgspec

from workbench.errors import BadValue
from workbench.model import Record

__all__ = ["FORMAT", "HASH_BYTES", "Frame", "decode", "encode", "frame_hash", "join"]

FORMAT: Final = 1
HASH_BYTES: Final = 16
_MAX_ARRAY16: Final = 0xFFFF
_pack_header = struct.Struct("<qqqq").pack
_encode = msgspec.msgpack.Encoder().encode
_decode_one = msgspec.msgpack.Decoder(Record).decode
_decode_list: msgspec.msgpack.Decoder[list[Record]] = msgspec.msgpack.Decoder(list[Record])


class Frame(NamedTuple):
    """One group commit: `n` records with the sequence numbers first_seq .. first_seq + n - 1."""

    first_seq: int
    n: int
    epoch: int
    ts_ns: int
    records: list[Record]

    @property
    def last_seq(self) -> int:
        return self.first_seq + self.n - 1


def encode(record: Record) -> bytes:
    """The record's bytes, proven to read back: one unreadable record would make the whole journal unusable.

    Raises:
        BadValue: a field holds a value of another type (or beyond 64 bits); nothing was written.

    >>> from workbench.model import Cancel
    >>> encode(Cancel(5, 7))
    b'\\x93G\\x05\\x07'
    """
    try:
        data = _encode(record)
        _decode_one(data)
    except (msgspec.MsgspecError, TypeError, OverflowError) as error:
        advice = f"a record that cannot be read back is not journaled: {error}"
        raise BadValue(type(record).__name__, record, advice) from error
    return data


def join(encoded: list[bytes]) -> bytes:
    """One msgpack array of records that are encoded already.

    >>> join([b"\\x01", b"\\x02"])
    b'\\xdc\\x00\\x02\\x01\\x02'
    """
    n = len(encoded)
    head = struct.pack(">BH", 0xDC, n) if n <= _MAX_ARRAY16 else struct.pack(">BI", 0xDD, n)
    return head + b"".join(encoded)


def decode(payload: bytes) -> list[Record]:
    """The records of a payload.

    Raises:
        msgspec.MsgspecError: the bytes are no list of records known to this code.
    """
    return _decode_list.decode(payload)


def frame_hash(previous: bytes, first_seq: int, count: int, epoch: int, ts_ns: int, payload: bytes) -> bytes:
    """The chain's next link.

    >>> frame_hash(bytes(16), 1, 1, 1, 0, b"").hex()
    '73209ad9b742953be7496242afa26ace'
    """
    h = blake2b(previous, digest_size=HASH_BYTES)
    h.update(_pack_header(first_seq, count, epoch, ts_ns))
    h.update(payload)
    return h.digest()
