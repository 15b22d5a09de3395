"""A record as a line of JSON, and back: what log shippers carry, and what `verify` can check anywhere.

A line is JSON in ASCII (JSON Lines), so that no encoding on its way can alter it. The body stands in it as a string,
its exact bytes: whoever writes the line anew, with other spaces or numbers spelled otherwise, leaves the chain whole,
and `printf %s "$hash_before$(jq -r .body)" | sha256sum` follows it with a shell alone.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from guardrails.audit._store import Record, Text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_COPIED = ("time", "kind", "run", "status")  # what a body says that tools sort and search lines by
_NUMBERS = 2**62  # no record's number is larger, and every index takes these
WORDING = "constitution"
"""The kind of a line that holds a constitution."""

_ENCODER = json.JSONEncoder(separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Line:
    """What a line of an export holds: a record, or a constitution's content under its digest, or neither.

    `problem` says what is wrong with it; there is no record then where none can be read.

    >>> Line(problem="its line cannot be read as JSON").record is None
    True
    """

    record: Record | None = None
    digest: str = ""
    content: bytes = b""
    problem: str = ""


class JsonLines:
    """JSON Lines: an object a record, and one before the first record that a constitution applied to.

    A record's holds `seq`, `hash`, `body` (a string: the bytes that were hashed), `texts` (objects of `path`, `salt`
    in hexadecimal, and `text`, null where none was to be kept), and once more what the body says of `time`, `kind`,
    `run` and `status`. A text that is no valid Unicode stands under `bytes`, in hexadecimal. A constitution's object
    has the kind `constitution`, its `digest` and its `content`. What else a tool adds to an object is not looked at.

    >>> line = JsonLines().record(Record(1, b'{"kind":"hold","seq":1,"texts":{}}', "ab…"))
    >>> line[:45]
    '{"seq":1,"time":null,"kind":"hold","run":null'
    >>> JsonLines().read(line.encode()).record.body
    b'{"kind":"hold","seq":1,"texts":{}}'
    """

    head = ""

    def record(self, record: Record) -> str:
        """The line of a record."""
        body = record.body.decode("utf-8", "surrogateescape")
        parts = {"hash": record.hash, "body": body, "texts": packed(record.texts)}
        return _ENCODER.encode({"seq": record.seq, **_copies(told(record.body)), **parts}) + "\n"

    def wording(self, digest: str, content: bytes) -> str:
        """The line of a constitution."""
        text = content.decode("utf-8", "surrogateescape")
        return _ENCODER.encode({"kind": WORDING, "digest": digest, "content": text}) + "\n"

    def read(self, line: bytes) -> Line:
        """What a line holds. Nothing is raised: a line that was damaged has a `problem`."""
        try:
            value = json.loads(line.decode("utf-8-sig"), object_pairs_hook=_once)
            if not isinstance(value, dict):
                return Line(problem="its line is no JSON object")
            if value.get("kind") == WORDING:
                content = value["content"].encode("utf-8", "surrogateescape")
                return Line(digest=_string(value["digest"]), content=content)
            body = value["body"].encode("utf-8", "surrogateescape")
            record = made(value["seq"], body, value["hash"], value["texts"])
        except KeyError as missing:
            return Line(problem=f"its line has no {missing.args[0]!r}")
        except (ValueError, TypeError, AttributeError, RecursionError):
            return Line(problem="its line cannot be read: it was altered, or cut off")
        copies = _copies(told(body))
        wrong = next((key for key in _COPIED if key not in value or value[key] != copies[key]), "")
        return Line(record, problem=f"its {wrong!r} beside its body is not what its body says" if wrong else "")


def told(body: bytes) -> Mapping[str, Any]:
    """What a body says; nothing where it cannot be read."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def packed(texts: Iterable[Text]) -> list[dict[str, str | None]]:
    """Texts with their salts, as JSON takes them."""
    return [{"path": text.path, "salt": text.salt.hex(), **_packed(text.text)} for text in texts]


def made(seq: Any, body: bytes, link: Any, texts: Any) -> Record:
    """A record of what a line holds.

    Raises:
        KeyError, ValueError, TypeError, AttributeError: it is not as this library wrote it.
    """
    if type(seq) is not int or abs(seq) > _NUMBERS:
        raise TypeError
    if body and b'"seq":%d,' % seq not in body:
        raise ValueError
    return Record(seq, body, _string(link), _unpacked(texts))


def _packed(text: bytes | None) -> dict[str, str | None]:
    if text is None:
        return {"text": None}
    try:
        return {"text": text.decode("utf-8")}
    # JSON would join two lone surrogates to one character, and many programs replace one.
    except UnicodeDecodeError:
        return {"bytes": text.hex()}


def _unpacked(texts: Any) -> tuple[Text, ...]:
    if not isinstance(texts, list):
        raise TypeError
    return tuple(_text(**text) for text in texts)


def _text(path: str, salt: str, **held: str | None) -> Text:
    ((kind, text),) = held.items()
    if kind == "bytes":
        return Text(_string(path), bytes.fromhex(salt), bytes.fromhex(_string(text)))
    return Text(_string(path), bytes.fromhex(salt), None if held["text"] is None else _string(text).encode())


def _string(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _copies(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {key: fields.get(key) for key in _COPIED}


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose keys stand in it once: a doubled one would read differently to different readers."""
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError
    return value
