"""Amazon's event stream, in which Bedrock sends its events: binary frames, with the event's JSON in base64.

A frame is its length and that of its headers (four bytes each, big-endian), their checksum, the headers, the
payload, and the checksum of it all. https://smithy.io/2.0/aws/amazon-eventstream.html
"""

from __future__ import annotations

import json
import struct
from base64 import b64decode, b64encode
from collections.abc import Iterator, Sequence
from typing import Any
from zlib import crc32

from guardrails.errors import UnsupportedReply
from guardrails.integrations._framing import Frame, Framing

_PRELUDE = struct.Struct(">III")
_CRC = struct.Struct(">I")
_SHORT = struct.Struct(">H")
_STRING = 7
_SIZES = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}  # of the header values whose type says their size
_CHUNK = {":event-type": "chunk", ":content-type": "application/json", ":message-type": "event"}
_METRICS = {"amazon-bedrock-invocationMetrics"}  # the one chunk that is no event of the model's


class AmazonEventStream:
    """The `application/vnd.amazon.eventstream` of Amazon's APIs."""

    def decoder(self) -> AmazonDecoder:
        """A decoder for one stream."""
        return AmazonDecoder()

    def frame(self, data: Any, name: str | None = None) -> Frame:
        """A chunk event."""
        encoded = b64encode(json.dumps(data, ensure_ascii=False).encode()).decode()
        payload = json.dumps({"bytes": encoded}).encode()
        headers = b"".join(_header(key, value) for key, value in _CHUNK.items())
        lengths = struct.pack(">II", _PRELUDE.size + len(headers) + len(payload) + _CRC.size, len(headers))
        raw = lengths + _CRC.pack(crc32(lengths)) + headers + payload
        return Frame(raw + _CRC.pack(crc32(raw)), name, data)


class AmazonDecoder:
    """Cuts at the lengths that the frames give."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, chunk: bytes) -> Sequence[Frame]:
        """The frames that are complete with this chunk.

        Raises:
            UnsupportedReply: the bytes are no frames, or damaged ones.
        """
        self._rest += chunk
        frames, start = [], 0
        while len(self._rest) - start >= _PRELUDE.size:
            length, headers, checksum = _PRELUDE.unpack_from(self._rest, start)
            if checksum != crc32(self._rest[start : start + 8]) or length < _PRELUDE.size + headers + _CRC.size:
                raise _damaged()
            if len(self._rest) - start < length:
                break
            frames.append(_frame(self._rest[start : start + length], headers))
            start += length
        self._rest = self._rest[start:]
        return frames

    def end(self) -> Sequence[Frame]:
        """Nothing: what is left of a frame that was cut off cannot be read, and so it goes nowhere."""
        return ()


def _frame(raw: bytes, headers_length: int) -> Frame:
    if _CRC.unpack(raw[-_CRC.size :])[0] != crc32(raw[: -_CRC.size]):
        raise _damaged()
    payload_at = _PRELUDE.size + headers_length
    try:
        headers = dict(_headers(raw[_PRELUDE.size : payload_at]))
        if headers.get(":message-type") in {"exception", "error"}:
            kind = headers.get(":exception-type") or headers.get(":error-code")
            return Frame(raw, "error", {"type": "error", "error": {"type": kind}})
        if headers.get(":event-type") != "chunk":
            return Frame(raw)
        data = json.loads(b64decode(json.loads(raw[payload_at : -_CRC.size])["bytes"]))
    except (ValueError, KeyError, TypeError, IndexError, struct.error):
        raise _damaged() from None
    return Frame(raw, None, None if isinstance(data, dict) and data.keys() <= _METRICS else data)


def _headers(block: bytes) -> Iterator[tuple[str, str | None]]:
    """Names and values; None for a value that is no string."""
    at = 0
    while at < len(block):
        name = block[at + 1 : at + 1 + block[at]].decode()
        at += 1 + block[at]
        kind = block[at]
        at += 1
        if kind in _SIZES:
            yield name, None
            at += _SIZES[kind]
            continue
        (size,) = _SHORT.unpack_from(block, at)
        at += _SHORT.size
        yield name, block[at : at + size].decode() if kind == _STRING else None
        at += size


def _header(name: str, value: str) -> bytes:
    return bytes([len(name)]) + name.encode() + bytes([_STRING]) + _SHORT.pack(len(value)) + value.encode()


def _damaged() -> UnsupportedReply:
    return UnsupportedReply("the reply is no stream of Amazon's events, or a damaged one: it cannot be judged.")


AMAZON: Framing = AmazonEventStream()
