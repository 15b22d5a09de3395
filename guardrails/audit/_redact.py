"""What of a text is stored: all of it, less personal data, or nothing; never a credential."""

from __future__ import annotations

from typing import Literal, get_args

from guardrails import credentials, personal_data

Redaction = Literal["full", "redacted", "commitments"]
"""What a trail stores of each text: all but credentials; no personal data either; or no text at all."""
REDACTIONS: tuple[str, ...] = get_args(Redaction)


def stored(text: str, redaction: Redaction) -> str | None:
    """What is stored of a text; None for `commitments`, which store no text.

    What is stored holds nothing more to hide: storing it again changes nothing.

    >>> stored("jane@example.com, password=hunter2", "full")
    'jane@example.com, password=[password]'
    >>> stored("jane@example.com, password=hunter2", "redacted")
    'j***@example.com, password=[password]'
    """
    if redaction == "commitments":
        return None
    if redaction == "full":
        return credentials.mask(text)
    # What stood beside something hidden may be worth hiding itself: so again, until nothing is.
    while (hidden := _hidden(text)) != text:
        text = hidden
    return text


def _hidden(text: str) -> str:
    """The text with both hidden, each found in the text as it stands: neither leaves a part of the other."""
    secrets = [(item.start, item.end, credentials.masked(item.kind)) for item in credentials.find(text)]
    if not secrets:
        return personal_data.mask(text)
    personal = [(item.start, item.end, personal_data.masked(item.kind, item.text)) for item in personal_data.find(text)]
    pieces, last = [], 0
    for start, end, shown in _joined(secrets, personal):
        pieces += [text[last:start], shown]
        last = end
    return "".join([*pieces, text[last:]])


def _joined(secrets: list[tuple[int, int, str]], personal: list[tuple[int, int, str]]) -> list[tuple[int, int, str]]:
    """The spans in order; personal data that overlaps a credential is hidden with it, as the credential."""
    marked = sorted([*((*span, True) for span in secrets), *((*span, False) for span in personal)])
    joined: list[tuple[int, int, str, bool]] = []
    for start, end, shown, secret in marked:
        if joined and start < joined[-1][1]:
            first, last, before, known = joined.pop()
            joined.append((first, max(last, end), before if known or not secret else shown, known or secret))
        else:
            joined.append((start, end, shown, secret))
    return [span[:3] for span in joined]
