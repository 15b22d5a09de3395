"""The wording that runs were judged under, read from the trail alone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Wording:
    """A constitution as it was in force: `principles` by id, each as its YAML said, with every default filled in.

    `content` are the exact bytes of which `digest` is the SHA-256.

    >>> wording = Wording.read(b'{"name":"bank","principles":[{"id":"fees","severity":"high"}],"version":"1"}', "ab…")
    >>> wording.severity("fees"), wording.severity("unknown")
    ('high', '')
    """

    name: str
    version: str
    digest: str
    principles: Mapping[str, Mapping[str, Any]]
    content: bytes

    @classmethod
    def read(cls, content: bytes, digest: str) -> Wording:
        """The wording with this content. What cannot be read has no principles: `verify` says what is wrong."""
        try:
            told = json.loads(content)
            principles = {str(principle["id"]): principle for principle in told["principles"]}
            return cls(str(told["name"]), str(told["version"]), digest, principles, content)
        except (ValueError, LookupError, TypeError):
            return cls("", "", digest, {}, content)

    def severity(self, principle: str) -> str:
        """`critical`, `high`, `medium` or `low`; empty for what is no principle of it, `revision-fidelity` say."""
        return str(self.principles.get(principle, {}).get("severity", ""))

    def said(self, principle: str, key: str, language: str = "en") -> str:
        """A principle's `title`, `rule` or another text, in a language, or else in the first one there is."""
        texts = self.principles.get(principle, {}).get(key)
        if isinstance(texts, Mapping):
            return str(texts.get(language) or next(iter(texts.values()), ""))
        return str(texts or "")
