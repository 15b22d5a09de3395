"""What tells a secret from a word, a placeholder, a variable or the name of a model."""

from __future__ import annotations

import re

LONG = 200
"""Characters after which a value is no word and no placeholder."""
_LONG_RUN, _MIXED_RUN = 16, 6

_TEMPLATE = re.compile(
    r"\$[{(].*|\$[A-Z_]+|\$[a-z_]+|\{.*|%[({]?[A-Za-z_]+.?.?|\W+|x+|\.{3}.*"
    r"|(?:.*[-_.])?your(?:[-_.].*)?|change[-_]?(?:me|it)|.*(?:[-_]here|placeholder|redacted).*"
    r"|(?:process\.env|os\.environ|settings|config|self|env|secrets)\..*|https?://.*",
    re.IGNORECASE,
)
_SAID_OF_IT = re.compile(
    r"required|optional|none|null|nil|true|false|string|str|text|password|passwd|secret|token|key|value|hidden|masked"
    r"|unset|empty|missing|invalid|incorrect|wrong|expired|example|dummy|changed|disabled|enabled|undefined|default",
    re.IGNORECASE,
)
_PATH = re.compile(r"[.~]?(?:/[a-z][a-z0-9_.-]*){2,}")
# Algorithms, versions, lengths and dates say something about a password: "SHA-256", "12-character".
_READABLE = re.compile(
    r"[a-z]*[-_]?(?:sha|aes|md|rsa|hmac|oauth|base|utf|tls|iso|http|pbkdf|windows|erc|v)[-_/]?\d[\d.]*"
    r"(?:[-_/][a-z0-9]{1,8}){0,3}"
    r"|\d+[-+]?[a-z]{0,12}(?:-[a-z]+)*|[\d./:-]+",
    re.IGNORECASE,
)
_PART = re.compile(r"[A-Za-z0-9]+")


def is_placeholder(value: str) -> bool:
    """Whether a value only stands for a secret, or says something about it.

    >>> is_placeholder("YOUR_API_KEY"), is_placeholder("required"), is_placeholder("hunter2")
    (True, True, False)
    """
    if len(value) > LONG:
        return False
    return any(pattern.fullmatch(value) for pattern in (_SAID_OF_IT, _TEMPLATE, _PATH))


def is_template(value: str) -> bool:
    """Whether a value is to be filled in; a word is none.

    >>> is_template("{password}"), is_template("password")
    (True, False)
    """
    return len(value) <= LONG and bool(_TEMPLATE.fullmatch(value))


def is_readable(value: str) -> bool:
    """Whether a value is the name of an algorithm or a version, a length, a date or a number.

    >>> is_readable("SHA-256"), is_readable("2024-01-31"), is_readable("hunter2")
    (True, True, False)
    """
    return len(value) <= LONG and bool(_READABLE.fullmatch(value))


def is_random(value: str) -> bool:
    """Whether letters and digits mix as in no word, name of a model, date or number.

    >>> is_random("9f8e7d6c5b4a"), is_random("gpt-4o-mini"), is_random("cross-site-request")
    (True, False, False)
    """
    if len(value) > LONG:
        return True
    parts: list[str] = _PART.findall(value)
    mixed = [part for part in parts if not (part.isalpha() or part.isdigit())]
    if value.isdigit() or is_readable(value):
        return False
    return (
        len(mixed) > 1 or any(len(part) >= _MIXED_RUN for part in mixed) or max(map(len, parts), default=0) >= _LONG_RUN
    )
