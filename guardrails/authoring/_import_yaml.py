"""Imported rules as our YAML, in which every text stays as it was, letter for letter."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterator

from pydantic import ValidationError

from guardrails.authoring._import_rule import Foreign, is_japanese
from guardrails.constitution import Principle
from guardrails.constitution._template import TemplateMistakeError, is_template, render
from guardrails.constitution._types import MAX_TEXT
from guardrails.constitution._yaml import parse

_WIDTH = 116
_PLAIN = re.compile(r"[A-Za-z](?:[\w ,.'()/]|-(?=\w)){0,98}(?<![ ])")
_OTHERWISE = {"null", "true", "false", "yes", "no", "on", "off", "y", "n"}
_ASKED = {
    "en": "A critic who is asked the following finds nothing in the reply to object to: “{}”",
    "ja": "次のように求められた評者が、回答に指摘すべき点を見いださない。「{}」",
}
_UNDECIDED = "# Nobody has said how grave a breach is. A person has to decide: critical, high, medium or low."
_SAID = "# As the file has it; a person should see whether it is right here."


class CannotBeKeptError(ValueError):
    """A text that no constitution can hold; the message says why."""


def principle_text(rule: Foreign, name: str, provenance: str) -> str:
    """The YAML of one imported rule as a principle with this id; `provenance` says where it comes from.

    Raises:
        CannotBeKeptError: a text is too long, or holds what no file can.
    """
    if not (rule.rule or rule.critique).strip():
        raise CannotBeKeptError("it has no words")
    text = "\n".join(_lines(rule, name, provenance)) + "\n"
    try:
        document = parse(text.encode(), f"{name}.yaml")
        Principle.model_validate(document.data)
    except (UnicodeEncodeError, ValidationError) as error:
        raise CannotBeKeptError("a cell that is too long, or a text with half a character") from error
    if document.problems:
        raise CannotBeKeptError(document.problems[0].message.rstrip("."))
    return text


def _lines(rule: Foreign, name: str, provenance: str) -> Iterator[str]:
    yield "# yaml-language-server: $schema=../schema/principle.json"
    yield f"id: {scalar(name)}"
    yield from text_lines("title", rule.title)
    yield _SAID if rule.severity else _UNDECIDED
    yield f"severity: {rule.severity or 'medium'}"
    if rule.jurisdictions:
        yield f"jurisdictions: [{', '.join(quoted(one) for one in rule.jurisdictions)}]"
    if rule.owner:
        yield f"owner: {scalar(rule.owner)}"
    yield "authority:"
    yield f"  - cite: {scalar(rule.cite, 4)}"
    yield "    verified: unverified"
    yield f"    note: {scalar('; '.join(filter(None, [rule.note, provenance])), 4)}"
    if not rule.rule:
        yield "# Made of the critique below. Say in its place what a reply states or may not state."
    language = "ja" if is_japanese(rule.critique) else "en"
    yield from text_lines("rule", rule.rule or _ASKED[language].format(rule.critique))
    if rule.critique:
        yield from text_lines("critique", rule.critique, "lint: allow vague")
    if rule.revision:
        yield from text_lines("revision", rule.revision)


def text_lines(key: str, text: str, comment: str = "") -> Iterator[str]:
    """A text in its language; braces in it are not ours to fill in."""
    kept = _untemplated(text)
    if is_japanese(text):
        yield f"{key}:"
        yield f"  ja: {scalar(kept, 2, comment)}"
    else:
        yield f"{key}: {scalar(kept, 0, comment)}"


def _untemplated(text: str) -> str:
    if not text.strip() or len(text) > MAX_TEXT - 100:
        raise CannotBeKeptError(f"a text of {len(text):,} characters, of {MAX_TEXT - 100:,} at most")
    kept = f"{{% raw %}}{text}{{% endraw %}}" if is_template(text) else text
    try:
        text.encode()
        is_kept = not is_template(text) or render(kept, {}) == text
    except (UnicodeEncodeError, TemplateMistakeError) as error:
        raise CannotBeKeptError("a text with half a character, or with {% endraw %}") from error
    if not is_kept:
        raise CannotBeKeptError("a text with line ends and braces that would change")
    return kept


def scalar(text: str, indent: int = 0, comment: str = "") -> str:
    """A text as a YAML scalar: as it is, folded where it is long, in quotes where anything else would change it.

    `indent` is that of the key before it.
    """
    note = f" # {comment}" if comment else ""
    margin = " " * (indent + 2)
    if _PLAIN.fullmatch(text) and text.lower() not in _OTHERWISE:
        return text + note
    lines = text.split("\n")
    if not all(line and line == line.strip() and line.isprintable() for line in lines):
        return quoted(text) + note
    if len(lines) > 1:
        return "\n".join([f"|-{note}", *(margin + line for line in lines)])
    if len(text) > _WIDTH - indent and re.fullmatch(r"\S+(?: \S+)*", text):
        folded = textwrap.wrap(text, _WIDTH - indent, break_long_words=False, break_on_hyphens=False)
        return "\n".join([f">-{note}", *(margin + line for line in folded)])
    return quoted(text) + note


def quoted(value: object) -> str:
    """As JSON, which is YAML; characters are escaped that an editor or a parser might take for others."""
    return "".join(
        letter if letter.isprintable() or letter == "\u3000" else _escape(letter)
        for letter in json.dumps(value, ensure_ascii=False)
    )


def _escape(letter: str) -> str:
    return f"\\u{ord(letter):04x}" if ord(letter) <= 0xFFFF else f"\\U{ord(letter):08x}"  # noqa: PLR2004 - YAML's two forms
