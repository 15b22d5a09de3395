"""What a store keeps of audit records, and what it has to be able to do."""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from guardrails.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False)


@dataclass(frozen=True, slots=True)
class Text:
    """A free text of a record, outside its body: where it belongs, its salt, its bytes.

    The bytes are UTF-8 in which lone surrogates pass, so that every string comes back as it was.

    >>> Text("original", b"salt", b"It cannot fall.").commitment[:8]
    '6f899110'
    """

    path: str
    salt: bytes
    text: bytes

    @property
    def commitment(self) -> str:
        """What the body holds in the text's place: SHA-256 over salt and text, in hexadecimal."""
        return sha256(self.salt + self.text).hexdigest()


@dataclass(frozen=True, slots=True)
class Entry:
    """A record to be stored: everything but its number, which only the store's transaction knows.

    `constitution` is the content of the wording it was judged under, and `digest` that content's
    SHA-256; a store keeps one copy a digest. Both are empty where there is none to keep.

    >>> Entry({"run": "r1"}).body(7)
    b'{"run":"r1","seq":7}'
    """

    fields: Mapping[str, object]
    texts: tuple[Text, ...] = ()
    digest: str = ""
    constitution: bytes = b""

    def body(self, seq: int) -> bytes:
        """The exact bytes to be hashed and stored as record number `seq`."""
        return canonical({**self.fields, "seq": seq})


@dataclass(frozen=True, slots=True)
class Record:
    """A record as it stands in a store: its number, its exact bytes, its link in the chain, its texts.

    `body` is empty where only texts are left of a record: a sign of tampering, for `verify` to name.
    """

    seq: int
    body: bytes
    hash: str
    texts: tuple[Text, ...] = ()


class Store(Protocol):
    """A place for records: they are appended and read, never changed.

    Every method may be called from any thread, and several processes may use one place. Each raises
    `AuditError` where the place cannot be used, and says what to do about it.
    """

    url: str
    """Where the records are, in the form that opens this store again. Holds no secret."""

    def append(self, entry: Entry) -> int:
        """Store a record whole or not at all; it is durable when its number is returned.

        Number and link are determined inside the transaction that writes, so that the writers of
        one trail, in however many processes, make one chain.
        """
        ...

    def page(self, first: int | None, limit: int) -> Sequence[Record]:
        """Up to `limit` records with their texts, in order from number `first`; fewer where they are large.

        Empty where none is left. None begins at the very beginning, whatever numbers stand there.
        """
        ...

    def newest(self, before: int | None, limit: int) -> Sequence[Record]:
        """The newest runs' records numbered below `before`, newest first, without their texts.

        A run's record is its outcome's; of a stream that came to none, its first window's.
        """
        ...

    def find(self, prefix: str, limit: int) -> Sequence[tuple[str, int]]:
        """Up to `limit` runs whose id begins with `prefix`, in order, with the number of their record."""
        ...

    def of_run(self, run: str) -> Sequence[Record]:
        """All records of a run with their texts, in order: a stream has several."""
        ...

    def constitution(self, digest: str) -> bytes | None:
        """The content that is kept under a digest."""
        ...

    def close(self) -> None:
        """Let go of connections and files. A later call opens them again."""
        ...


def canonical(value: object) -> bytes:
    r"""A value as JSON with one spelling only: sorted keys, no spaces, non-ASCII escaped.

    >>> canonical({"b": "é", "a": [1, None]})
    b'{"a":[1,null],"b":"\\u00e9"}'
    """
    return _ENCODER.encode(value).encode("ascii")


def open_store(url: str) -> Store:
    """The store that a URL or a path names. Nothing is opened or made before it is used.

    Raises:
        ConfigurationError: a URL of another kind, or one without a file.
    """
    scheme, separator, path = url.partition("://")
    if not separator:
        scheme, path = "sqlite", "/" + url
    if scheme != "sqlite":
        from difflib import get_close_matches

        near = " Did you mean sqlite?" if get_close_matches(scheme, ["sqlite"]) else ""
        raise ConfigurationError(
            f"no audit trail is kept at {scheme}:// URLs.{near}"
            " Write sqlite:///file.db, sqlite:////absolute/file.db or a path."
        )
    if not path.startswith("/"):
        raise ConfigurationError(f"{url!r} names a host: write three slashes before a path, sqlite:///{path}")
    if path[1:] in {"", ":memory:"} or "\0" in path:
        raise ConfigurationError(
            f"{url!r} names no file: a trail has to outlast the process. Turn it off with audit=None."
        )
    from guardrails.audit._sqlite import SqliteStore

    return SqliteStore(Path(path[1:]).expanduser().absolute())
