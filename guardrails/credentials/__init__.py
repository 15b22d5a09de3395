"""Credentials in a text: keys, tokens, passwords, private keys, and the headers and URLs that carry them.

What has a shape of its own (`AKIA…`, `ghp_…`, a JWT, a PEM block) counts wherever it stands. What has none counts
beside its name: `password=…`, `"api_key": "…"`, `Authorization: …`, パスワードは…. Its value must look like a
secret: no word, placeholder, call or variable. UUIDs, digests and base64 that nothing names are left.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from guardrails.credentials import _named, _shapes

# In order of precedence: what overlaps is hidden together, under the name of the first.
_MASKS = {
    "private_key": "[private key]",
    "authorization": "[authorization header]",
    "cookie": "[cookie]",
    "userinfo": "[credentials]",
    "api_key": "[api key]",
    "token": "[token]",
    "seed_phrase": "[seed phrase]",
    "password": "[password]",
    "secret": "[secret]",
}
KINDS = tuple(_MASKS)
_MASKED = re.compile("|".join(map(re.escape, _MASKS.values())))

# One character for one, so that offsets stay: full-width forms, spaces, dashes and quotation marks.
_FOLDS = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}
_FOLDS |= {ord(char): ord(" ") for char in "\u3000\u00a0\u2007\u202f\u200b\ufeff"}
_FOLDS |= {ord(char): ord("-") for char in "‐‑‒–—−"} | {ord(char): ord('"') for char in "“”„「」『』"}
_FOLDS |= {ord(char): ord("'") for char in "‘’"}


@dataclass(frozen=True, slots=True)
class Credential:
    """One credential: its kind (of `KINDS`) and place; `text` is `original[start:end]`."""

    kind: str
    start: int
    end: int
    text: str


def find(text: str) -> tuple[Credential, ...]:
    """The credentials in a text, in order and without overlap.

    >>> [(found.kind, found.text) for found in find("Use key AKIAIOSFODNN7EXAMPLE; password=hunter2")]
    [('api_key', 'AKIAIOSFODNN7EXAMPLE'), ('password', 'hunter2')]
    """
    # Almost every text has none, and one sweep of RE2 tells: twenty times quicker than the patterns themselves.
    if not _hints().search(text.encode("utf-8", "replace")):
        return ()
    return tuple(_joined(text, _spans(text if text.isascii() else text.translate(_FOLDS))))


def mask(text: str) -> str:
    """The text with its credentials hidden; a reader sees what kind each was, and no part of it.

    Masking twice changes nothing more.

    >>> mask("curl -H 'Authorization: Bearer abc123' https://me:hunter2@example.com")
    "curl -H 'Authorization: [authorization header]' https://[credentials]@example.com"
    """
    # What stood beside a credential may be one itself once that one is hidden: so again, until none is left.
    while found := find(text):
        pieces, end = [], 0
        for item in found:
            pieces += [text[end : item.start], masked(item.kind)]
            end = item.end
        text = "".join([*pieces, text[end:]])
    return text


def masked(kind: str) -> str:
    """What stands for a credential of a kind once it is hidden.

    >>> masked("api_key")
    '[api key]'
    """
    return _MASKS[kind]


@cache
def _hints() -> Any:
    import re2

    options = re2.Options()
    options.case_sensitive = False
    options.log_errors = False
    options.never_capture = True
    return re2.compile(f"{_shapes.HINTS}|{_named.HINTS}|[Ａ-Ｚａ-ｚ]{{3}}", options)


def _spans(folded: str) -> Iterator[tuple[int, int, str]]:
    yield from _shapes.spans(folded)
    yield from _named.spans(folded)


def _joined(text: str, spans: Iterator[tuple[int, int, str]]) -> Iterator[Credential]:
    """What overlaps as one, a mask never cut, and what holds nothing but masks left out."""
    masks = ((*match.span(), "") for match in _MASKED.finditer(text))
    last, stop, kinds = 0, 0, {""}
    for start, end, kind in [*sorted([*spans, *masks]), (len(text), len(text), "")]:
        if start < stop:
            stop = max(stop, end)
            kinds.add(kind)
            continue
        # A mask stands for nothing that could be hidden again: so each round of `mask` leaves less.
        if kinds != {""} and any(map(str.isalnum, _MASKED.sub("", text[last:stop]))):
            yield Credential(min(kinds - {""}, key=KINDS.index), last, stop, text[last:stop])
        last, stop, kinds = start, end, {kind}
