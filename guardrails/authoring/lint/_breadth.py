"""Rules about patterns that find too much: nothing at all, or what any reply says."""

from __future__ import annotations

from collections.abc import Iterator

from guardrails.authoring.lint._rule import Path, rule
from guardrails.authoring.lint._subject import Own, Subject
from guardrails.constitution import Check
from guardrails.errors import Problem
from guardrails.patterns import compiled
from guardrails.views import view

EMPTY = "the pattern matches the empty string"
"""How the loader's message begins."""

_TEXTS = ("", " ", "a", "q", "7", "_", "a b", "1.", "-", "「あ」", "ん 亜", "a\nb", "\n", "a, あ!", "…")
_NEUTRAL = {
    "en": (
        "Hello, and thank you for your message.",
        "Which of the two did you mean?",
        "I am happy to explain this step by step.",
        "The weather was fine this morning.",
        "Our office is on the second floor.",
        "Here is a short summary.",
    ),
    "ja": (
        "こんにちは。",
        "お問い合わせありがとうございます。",
        "どちらのことでしょうか。",
        "順番にご説明します。",
        "今朝は良い天気でした。",
        "窓口は二階にあります。",
    ),
}
_MOST = 2


@rule("CK03", "too-broad")
def too_broad(subject: Subject) -> Iterator[Problem]:
    r"""A pattern matches ordinary sentences that have nothing to do with any rule.

    It is tried over greetings and other neutral sentences in English and Japanese; one that matches three of a language
    is too broad. Patterns under `require`, `when`, `when_prompt` and `unless` are tried as well: a requirement that
    every reply meets, and an excuse that always holds, switch the check off.

    ## Why

    Such a check says nothing about the reply.

    ## Avoid

    ```yaml
    checks:
      - pattern: '\b(?:is|are|am|was|you|is safe)\b'
        unless:
          sentence: '\w+ safety'
    examples:
      - violates: Your deposit is safe.
      - {complies: Ask about safety., note: speaks of safety}
    ```

    ## Prefer

    ```yaml
    checks:
      - pattern: '\b(?:is|are) safe\b'
    examples:
      - violates: Your deposit is safe.
      - {complies: Ask about safety., note: speaks of safety}
    ```
    """
    for own, path, pattern in _all(subject):
        matched = _matched(pattern)
        if len(matched) > _MOST:
            message = f"the pattern matches ordinary sentences, such as “{matched[0]}”"
            yield own.problem(path, message, "Match the words that make a reply a breach.")


@rule("CK04", "empty-match")
def empty_match(subject: Subject) -> Iterator[Problem]:
    r"""A pattern can match without a single character.

    Most such patterns are found when the constitution is loaded, and it cannot be used; the others are found here. It
    concerns every pattern, those under `require`, `when`, `when_prompt` and `unless` included.

    ## Why

    What matches nothing matches everywhere: every sentence of every reply would be a breach, or would be excused.

    ## Avoid

    ```yaml
    checks:
      - pattern: '(?:safe)?'
    examples:
      - violates: Your deposit is safe.
      - {complies: Ask about safety., note: speaks of safety}
    ```

    ## Prefer

    ```yaml
    checks:
      - pattern: '\bis safe\b'
    examples:
      - violates: Your deposit is safe.
      - {complies: Ask about safety., note: speaks of safety}
    ```
    """
    for own, path, pattern in _all(subject):
        if any(match.start() == match.end() for text in _TEXTS for match in compiled(pattern).finditer(text)):
            yield own.problem(path, f"{EMPTY}, and so every sentence.", "Make a part of it mandatory.")


def expressions(check: Check) -> Iterator[tuple[Path, str]]:
    """Every pattern of a check, with its path in it."""
    unless = getattr(check, "unless", None)
    lists: dict[tuple[str, ...], tuple[str, ...]] = {
        (key,): getattr(check, key, ()) for key in ("pattern", "require", "when", "when_prompt")
    }
    lists |= {("unless", key): getattr(unless, key, ()) for key in ("clause", "sentence")}
    for path, patterns in lists.items():
        for index, pattern in enumerate(patterns):
            yield (*path, index), pattern


def _all(subject: Subject) -> Iterator[tuple[Own, Path, str]]:
    for own in subject.own:
        for index, check in enumerate(own.principle.checks):
            yield from ((own, ("checks", index, *path), pattern) for path, pattern in expressions(check))


def _matched(pattern: str) -> list[str]:
    expression = compiled(pattern)
    found = ([text for text in texts if expression.search(view(text).text)] for texts in _NEUTRAL.values())
    return max(found, key=len)
