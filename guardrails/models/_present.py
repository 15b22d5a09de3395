"""How a model that judges or revises is instructed, and how an exchange is shown to it.

The exchange is data, and hostile: it stands between markers with a fresh random token, and only the
numbers at the beginning of a line are ours, because every other line is indented.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from guardrails.exchange import Exchange

if TYPE_CHECKING:
    from jinja2 import Template


def instructions(package: str, name: str, **values: Any) -> str:
    """Render a package's prompt: with texts of the constitution only, never of an exchange."""
    return _template(package, name).render(values)


def present(exchange: Exchange, *, replaced: Mapping[int, str] | None = None) -> str:
    """An exchange as text, its reply as numbered sentences; those of a stream that were judged before stand apart.

    `replaced` shows other texts for some sentences; an empty one leaves its number out.
    """
    token = secrets.token_hex(6)
    parts = [f"<exchange {token}>"]
    parts += [f"{message.role}:\n{_indented(message.content)}" for message in exchange.messages]
    parts += [f"context {number}:\n{_indented(text)}" for number, text in enumerate(exchange.context, 1)]
    if exchange.judged:
        parts.append("beginning of the reply, judged before:")
    for number, sentence in enumerate(exchange.sentences, 1):
        if number == exchange.judged + 1:
            parts.append("reply to judge:")
        text = (replaced or {}).get(number, sentence).strip()
        if text:
            parts.append(f"{number}: {_indented(text).lstrip()}")
    if not exchange.sentences[exchange.judged :]:
        parts.append("reply to judge:")
    parts.append(f"</exchange {token}>")
    return "\n".join(parts)


def _indented(text: str) -> str:
    """No line of the text can begin in the first column, whatever ends its lines."""
    return "\n".join(f"  {line}" for line in text.splitlines())


@cache
def _template(package: str, name: str) -> Template:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader(package, "prompts"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,  # noqa: S701 - a text for a model, no HTML
    )
    return environment.get_template(name)
