"""Replies that a program reads: JSON, in a code fence or not, or JSON Lines. They are judged, never edited."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

_FENCE = re.compile(r"\A\s*```(?:json[lc]?|ndjson)?[ \t]*\n(.*?)\n?[ \t]*```\s*\Z", re.DOTALL | re.IGNORECASE)


def texts_of(reply: str) -> tuple[str, ...] | None:
    r"""The texts in a reply that is data, keys and figures included; None for prose.

    >>> texts_of('{"answer": "\\u5fc5\\u305a", "share": 8}')
    ('answer', '必ず', 'share', '8')
    >>> texts_of("It fell by 8%.") is None
    True
    """
    fenced = _FENCE.match(reply)
    text = (fenced[1] if fenced else reply).strip("\ufeff \t\r\n")
    if text[:1] not in {"{", "["}:
        return None
    values = _parsed(text)
    return None if values is None else tuple(_texts(values))


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    try:
        rows = [json.loads(line) for line in text.split("\n") if line.strip()]
    except (ValueError, RecursionError):
        return None
    return rows if all(isinstance(row, dict | list) for row in rows) else None


def _texts(value: Any) -> Iterator[str]:
    # A stack, because data may be nested as deeply as the parser lets it.
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            stack.extend(part for pair in reversed(item.items()) for part in reversed(pair))
        elif isinstance(item, list):
            stack.extend(reversed(item))
        elif item is not None:
            yield str(item)
