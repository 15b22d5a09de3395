"""What a store keeps of audit records, and what it has to be able to do."""

from __future__ import annotations

import json
import re
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from guardrails.errors import AuditError, ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

Ranges = tuple[tuple[int, int], ...]
"""Numbers of records: from the first to the last of each pair."""

EXPORTS = frozenset({".jsonl", ".csv"})
"""How the names of exported trails end."""

_CONNECTS = re.compile(r"^postgres(ql)?:|(^|\s)(host|dbname|password|user)\s*=", re.IGNORECASE)
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False)


class Text(NamedTuple):
    """A free text of a record, outside its body: where it belongs, its salt, its bytes.

    The bytes are UTF-8 in which lone surrogates pass, so that every string comes back as it was. They are
    None where the trail was to keep none: the body vouches for the text then, and whoever has it can show so.

    >>> Text("original", b"salt", b"It cannot fall.").commitment[:8]
    '6f899110'
    """

    path: str
    salt: bytes
    text: bytes | None

    @property
    def commitment(self) -> str:
        """What the body holds in the text's place: SHA-256 over salt and text, in hexadecimal."""
        return commitment(self.salt, self.text or b"")


def commitment(salt: bytes, text: bytes) -> str:
    """SHA-256 over salt and text, in hexadecimal.

    >>> commitment(b"salt", b"It cannot fall.")[:8]
    '6f899110'
    """
    return sha256(salt + text).hexdigest()


@contextmanager
def as_written(record: Record) -> Iterator[None]:
    """Whatever goes wrong inside, with a body that was read without following the chain: somebody altered it.

    Raises:
        AuditError: something did.
    """
    try:
        yield
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise AuditError(
            f"record {record.seq} is not as this library wrote it. `guardrails audit verify` says more."
        ) from error


def went_on(before: int | None, after: int) -> int:
    """The number that reading came to, where it came any further.

    Raises:
        AuditError: it did not: an index is damaged, and reading would never end.
    """
    if before is not None and after <= before:
        raise AuditError(
            f"the trail cannot be read past record {abs(before)}: its index is damaged."
            " Put it aside as it is, and restore the last good copy."
        )
    return after


@dataclass(frozen=True, slots=True)
class Entry:
    """A record to be stored: everything but its number, which only the store's transaction knows.

    `constitution` is the content of the wording it was judged under, and `digest` that content's
    SHA-256; a store keeps one copy a digest. Both are empty where there is none to keep. `erases` are the
    numbers, from first to last, of earlier records whose texts go when this one comes. `knows` is the number of the
    last act that was considered for it, a legal hold say: a later one refuses it. None knows of any.

    >>> Entry({"run": "r1", "texts": {}}).body(7)
    b'{"run":"r1","seq":7,"texts":{}}'
    """

    fields: Mapping[str, object]
    texts: tuple[Text, ...] = ()
    digest: str = ""
    constitution: bytes = b""
    erases: Ranges = ()
    knows: int | None = None
    _head: bytes = field(init=False, repr=False, compare=False)
    _tail: bytes = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # Written out here, in the caller's thread: others wait while a transaction gives out numbers.
        head = canonical({key: value for key, value in self.fields.items() if key < "seq"})[:-1]
        tail = canonical({key: value for key, value in self.fields.items() if key > "seq"})[1:]
        object.__setattr__(self, "_head", head + (b',"seq":' if len(head) > 1 else b'"seq":'))
        object.__setattr__(self, "_tail", b"," + tail if len(tail) > 1 else tail)

    def body(self, seq: int) -> bytes:
        """The exact bytes to be hashed and stored as record number `seq`: canonical JSON."""
        return self._head + str(seq).encode() + self._tail


class Record(NamedTuple):
    """A record as it stands in a store: its number, its exact bytes, its link in the chain, its texts.

    `body` is empty where only texts are left of a record: a sign of tampering, for `verify` to name. `problem` says
    what is wrong with it, where a store can tell already.
    """

    seq: int
    body: bytes
    hash: str
    texts: tuple[Text, ...] = ()
    problem: str = ""


class RefusedError(AuditError):
    """An entry that the store may not take: its run has a record already, say. It alone is at fault."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which runs' records a store is asked for; everything that is given has to fit.

    `since` and `until` are times as bodies write them, the second one excluded. Of each group in `holds` one
    string stands in the body; of each group in `texts` one is a text of the record, or it has a text that was
    not to be kept. What a store finds so may be too much: whoever asked looks at it once more.
    """

    since: str = ""
    until: str = ""
    holds: tuple[tuple[str, ...], ...] = ()
    texts: tuple[tuple[bytes, ...], ...] = ()


class Store(Protocol):
    """A place for records: they are appended and read, never changed; texts can be erased.

    Every method may be called from any thread, and several processes may use one place. Each raises
    `AuditError` where the place cannot be used, and says what to do about it.
    """

    url: str
    """Where the records are, in the form that opens this store again. Holds no secret."""

    def append(self, entries: Sequence[Entry]) -> Sequence[int]:
        """Store records, all or none of them; they are durable when their numbers are returned.

        Numbers and links are determined inside the transaction that writes, so that the writers of
        one trail, in however many processes, make one chain. What an entry erases goes in the same transaction.

        Raises:
            RefusedError: one of the entries may not be stored; without it, the others may.
        """
        ...

    def page(self, first: int | None, limit: int) -> Sequence[Record]:
        """Up to `limit` records with their texts, in order from number `first`; fewer where they are large.

        Empty where none is left. None begins at the very beginning, whatever numbers stand there.
        """
        ...

    def last(self) -> int:
        """The number of the newest record, 0 where there is none."""
        ...

    def newest(self, before: int | None, limit: int, only: Filter | None = None) -> Sequence[Record]:
        """The newest runs' records numbered below `before`, newest first, without their texts.

        A run's record is its outcome's; of a stream that came to none, its first window's.
        """
        ...

    def acts(self, after: int, limit: int) -> Sequence[Record]:
        """Up to `limit` records of what people did (kinds other than `outcome` and `window`), with texts, in order."""
        ...

    def find(self, prefix: str, limit: int) -> Sequence[tuple[str, int]]:
        """Up to `limit` runs whose id begins with `prefix`, in order, with the number of their record."""
        ...

    def of_run(self, run: str) -> Sequence[Record]:
        """All records of a run with their texts, in order: its own, and what people did about it."""
        ...

    def constitution(self, digest: str) -> bytes | None:
        """The content that is kept under a digest."""
        ...

    def altered(self) -> str:
        """What of the store's own rules is not as this library makes them, and what to do; empty where all are."""
        ...

    def scrub(self) -> None:
        """See to it that nothing of what was erased is left in the store's files.

        Raises:
            AuditError: something keeps it; the message says what, and what to do.
        """
        ...

    def close(self) -> None:
        """Let go of connections and files. A later call opens them again."""
        ...


TABLES = 2
"""The version of a database's tables. 1, which SQLite alone had, could not erase."""


def known_tables(name: str, version: str | None, what: str) -> int:
    """The version of the tables in a database, as it stands there.

    Raises:
        AuditError: it is none, so that the database is `what` and no trail; or a later one.
    """
    if version is None or not version.isdecimal():
        raise AuditError(f"{what} Name another one.")
    if int(version) > TABLES:
        raise AuditError(
            f"the audit trail {name} has schema {version}, and this version of the library knows"
            f" {TABLES}. Upgrade constitutional-guardrails."
        )
    return int(version)


def canonical(value: object) -> bytes:
    r"""A value as JSON with one spelling only: sorted keys, no spaces, non-ASCII escaped.

    >>> canonical({"b": "é", "a": [1, None]})
    b'{"a":[1,null],"b":"\\u00e9"}'
    """
    return _ENCODER.encode(value).encode("ascii")


def open_store(url: str) -> Store:
    """The store that a URL or a path names: a database, or an export. Nothing is opened or made before it is used.

    Raises:
        ConfigurationError: a URL of another kind, or one without a file.
    """
    scheme, separator, path = url.partition("://")
    if not separator:
        if _CONNECTS.search(url):  # a file of that name would hold the password, too
            raise ConfigurationError(
                "the audit trail's name reads like a database's, and is no URL. Write postgresql://user@host/database."
            )
        scheme, path = "sqlite", "/" + url
    if scheme in {"postgresql", "postgres"}:
        from guardrails.audit._postgres import PostgresStore

        return PostgresStore(url)
    if scheme != "sqlite":
        from difflib import get_close_matches

        near = get_close_matches(scheme, ["sqlite", "postgresql"], 1)
        raise ConfigurationError(
            f"no audit trail is kept at {scheme}:// URLs.{f' Did you mean {near[0]}?' if near else ''} Write"
            " sqlite:///file.db, sqlite:////absolute/file.db, a path, or postgresql://user@host/database."
        )
    if not path.startswith("/"):
        named = "…" if "@" in path else path  # it may hold a password
        raise ConfigurationError(
            f"the audit trail's URL names a host: write three slashes before a path, sqlite:///{named}"
        )
    if path[1:] in {"", ":memory:"} or "\0" in path:
        raise ConfigurationError(
            f"{url!r} names no file: a trail has to outlast the process. Turn it off with audit=None."
        )
    file = Path(path[1:]).expanduser().absolute()
    if file.suffix in EXPORTS:
        from guardrails.audit._exported import ExportedStore

        return ExportedStore(file)
    from guardrails.audit._sqlite import SqliteStore

    return SqliteStore(file)
