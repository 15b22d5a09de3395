"""The free texts of a record, gathered with their salts."""

from __future__ import annotations

from collections.abc import Iterable
from secrets import token_bytes

from guardrails.audit._store import Text


class Texts:
    """Collects a record's texts; one that it holds already is pointed to, not kept twice."""

    def __init__(self) -> None:
        self.kept: list[Text] = []
        self.same: dict[str, str] = {}
        self._paths: dict[str, str] = {}

    def add(self, path: str, text: str | None) -> None:
        if not text:
            return
        first = self._paths.setdefault(text, path)
        if first == path:
            self.kept.append(Text(path, token_bytes(16), text.encode("utf-8", "surrogatepass")))
        else:
            self.same[path] = first

    def add_all(self, path: str, texts: Iterable[str]) -> None:
        for number, text in enumerate(texts):
            self.add(f"{path}/{number}", text)
