"""The free texts of a record, gathered with their salts; what a trail may keep of them is kept."""

from __future__ import annotations

from datetime import UTC
from secrets import token_bytes
from typing import TYPE_CHECKING, Any

from guardrails.audit._redact import Redaction, stored
from guardrails.audit._store import Text, commitment
from guardrails.audit._vouch import SALT, salts_digest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

SCHEMA = 2
"""The version of every body. 1 had no acts and no redaction."""


class Texts:
    """Collects a record's texts; one that it holds already is pointed to, not kept twice."""

    def __init__(self, redaction: Redaction = "full") -> None:
        self._redaction = redaction
        self._paths: dict[str, str] = {}
        self._same: dict[str, str] = {}
        self._kept: list[Text] = []
        self._commitments: dict[str, str] = {}
        self._masked: list[str] = []

    def add(self, path: str, text: str | None) -> None:
        if not text:
            return
        first = self._paths.setdefault(text, path)
        if first != path:
            self._same[path] = first
            return
        salt, kept = token_bytes(SALT), stored(text, self._redaction)
        data = (text if kept is None else kept).encode("utf-8", "surrogatepass")
        self._kept.append(Text(path, salt, None if kept is None else data))
        self._commitments[path] = commitment(salt, data)
        if kept not in {None, text}:
            self._masked.append(path)

    def add_all(self, path: str, texts: Iterable[str]) -> None:
        for number, text in enumerate(texts):
            self.add(f"{path}/{number}", text)

    @property
    def kept(self) -> tuple[Text, ...]:
        """What goes beside the body."""
        return tuple(self._kept)

    @property
    def fields(self) -> Mapping[str, Any]:
        """What the body holds in the texts' place."""
        fields = {"texts": self._commitments, "same": self._same, "masked": self._masked}
        return fields if self._redaction != "commitments" else {**fields, "salts": salts_digest(self._kept)}


def timestamp(time: datetime) -> str:
    """A time as bodies write it: UTC, to the microsecond, so that they sort as strings.

    >>> from datetime import datetime
    >>> timestamp(datetime(2026, 11, 23, 9, 30, tzinfo=UTC))
    '2026-11-23T09:30:00.000000Z'
    """
    return time.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
