"""Whether the texts beside a body are those that the body vouches for."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from guardrails.audit._store import Text

SALT = 16
"""Bytes of every salt: with another length, a part of the text could pass for salt."""


def salts_digest(texts: Iterable[Text]) -> str:
    """What vouches for salts whose texts were not to be kept: SHA-256 over them, in the order of their paths."""
    return sha256(b"".join(text.salt for text in sorted(texts))).hexdigest()


def plainly_vouched(body: bytes, texts: Sequence[Text]) -> bool:
    """Whether a canonical body holds just the commitments of these texts, decided on its bytes alone.

    Texts that were not kept are not plain.
    """
    pairs = [
        f'"{path}":"{sha256(salt + (text or b"")).hexdigest()}"' for path, salt, text in texts if len(salt) == SALT
    ]
    promise = f'"texts":{{{",".join(pairs)}}}'
    # With a quotation mark in its path, one text could stand for two.
    is_plain = len(pairs) == len(texts) and promise.count('"') == 4 * len(pairs) + 2
    # It stands near the end of a body, and once: quotation marks inside a string are escaped.
    return is_plain and body.startswith(promise.encode("utf-8", "surrogatepass"), body.rfind(b'"texts":{'))


def text_problem(fields: Mapping[str, Any], texts: Sequence[Text]) -> str:
    """What is wrong with the texts of a record whose body says this; empty where nothing is."""
    promised, are_kept = fields.get("texts"), fields.get("redaction") != "commitments"
    if not isinstance(promised, dict):
        return "its body holds no commitments"
    for text in texts:
        if text.path not in promised:
            return f"the text {text.path!r} was added to it"
        if (text.text is not None) != are_kept:
            return f"the text {text.path!r} was {'removed' if are_kept else 'added'}"
        if len(text.salt) != SALT or (are_kept and text.commitment != promised[text.path]):
            return f"the text {text.path!r} was altered"
    missing = promised.keys() - {text.path for text in texts}
    if missing:
        return f"the text {min(missing)!r} is missing"
    return "" if are_kept or salts_digest(texts) == fields.get("salts") else "a salt of it was altered"
