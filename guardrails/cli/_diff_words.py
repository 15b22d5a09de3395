"""One change of a comparison in words: where it is, and what became of what."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from guardrails.authoring._compare_change import Change

_ITEMS = {"checks": "check", "examples": "example", "authority": "authority", "facts": "fact"}
_TEXTS = {"title", "rule", "critique", "revision", "fallback", "warning", "facts", "append", "prepend", "replace"}
_REPLIES = {"examples.violates", "examples.complies", "examples.revised"}
_FLAGS = {
    "sentence": ("what is found alone", "the whole sentence"),
    "delete": ("no", "what is found goes"),
    "mask": ("no", "what is found is masked"),
    "quoted": ("quotations count", "quotations are excused"),
    "decides": ("silence decides nothing", "silence means that the reply complies"),
}
"""What it means that a key of a check is `false` or `true`."""
_SHORT = 60
_BELOW = "\n  "
_LANGUAGE = re.compile(r"[a-z]{2}(-[A-Z]{2})?")


def is_text(change: Change) -> bool:
    """Whether sentences changed, which are shown beside each other."""
    return _language(change.key) != "" or (change.key in _REPLIES and bool(change.before or change.after))


def label(change: Change) -> str:
    """The place as its author knows it, and whether something came or went there.

    >>> label(Change("checks.unless.before", "looser", None, "if", (2, 2)))
    'check 2, unless.before added'
    >>> label(Change("rule.ja", "changed", "旧", "新"))
    'rule (ja)'
    """
    head, _, rest = change.key.partition(".")
    number = change.numbers[1] or change.numbers[0]
    language = _language(change.key)
    place = (rest if head in _ITEMS and number else change.key).removesuffix(".order").removesuffix(language)
    if head in _ITEMS and number:
        place = ", ".join(filter(None, (f"{_ITEMS[head]} {number}", place.rstrip("."))))
    place = place.rstrip(".") + (f" ({language})" if language else "")
    if change.key.endswith(".order") or change.key == "examples.moved":
        return place.replace(", moved", " moved")
    return f"{place}{_came(change)}"


def told(change: Change) -> str:
    """What became of what.

    >>> told(Change("severity", "stricter", "medium", "critical"))
    'medium -> critical'
    >>> told(Change("checks.fix.sentence", "changed", False, True, (1, 1)))
    'what is found alone -> the whole sentence'
    """
    flag = _FLAGS.get(change.key.rpartition(".")[2])
    if flag and isinstance(change.before, bool) and isinstance(change.after, bool):
        return f"{flag[change.before]} -> {flag[change.after]}"
    if change.key.endswith(".order"):
        return "the same, listed in another order"
    if change.key == "examples.moved":
        (side, reply), (other, _) = (next(iter(one.items())) for one in (change.before, change.after))
        return f"from {side} to {other}: {reply}"
    if change.before is None or change.after is None:
        return _value(change.after if change.before is None else change.before)
    nothing = "everywhere" if change.key == "jurisdictions" else "none"
    return f"{_value(change.before) or nothing} -> {_value(change.after) or nothing}"


def _came(change: Change) -> str:
    if change.before is None or change.after is None:
        return " added" if change.before is None else " removed"
    return ""


def _language(key: str) -> str:
    """The language of a text that a key names, else nothing."""
    parts = key.split(".")
    is_text_key = len(parts) > 1 and parts[-2] in _TEXTS and _LANGUAGE.fullmatch(parts[-1])
    return parts[-1] if is_text_key else ""


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return _BELOW.join(_parts(value))
    if isinstance(value, list):
        return ", ".join(map(_value, value))
    return str(value)


def _parts(data: Mapping[str, Any]) -> Iterator[str]:
    """What an item says, a line each; in a long list, a line for each of its members."""
    for key, value in data.items():
        if value is True:
            yield f"{key}: {_FLAGS[key][True] if key in _FLAGS else 'true'}"
        elif isinstance(value, Mapping):
            yield from (f"{key}.{part}" for part in _parts(value))
        elif isinstance(value, list) and len(_value(value)) > _SHORT:
            yield from (f"{key}: {_value(one)}" for one in value)
        else:
            yield f"{key}: {_value(value)}"
