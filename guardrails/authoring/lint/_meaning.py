"""What a rule asks for, apart from how it says so: forbidden or asked, and the act itself.

Used to tell rules that repeat or contradict each other. Words are compared, not understood.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from guardrails.sentences import split

_SHORT = re.compile(r"\b(\w+)n't\b")
_NOT = re.compile(r"\b(?:not|never|cannot|forbidden|prohibited)\b")
_MODAL = re.compile(
    r"\b(?:always|must|may|shall|should|ought to|ha(?:s|ve) to|needs? to|can?|do|does|will|wo|please|"
    r"(?:is|are)\s+(?:(?:allowed|permitted|required)\s+)?to)\b"
)
_WHO = re.compile(
    r"^(?:(?:the|a|an|any|every|each|your|all) )?(?:repl(?:y|ies)|answers?|responses?|assistants?|models?|you|it) "
)
_MUST_JA = re.compile(r"な(?:ければ|くては)(?:ならない|いけない|なりません|いけません)$")
_ASKED_JA = re.compile(
    r"(?:な(?:ければ|くては)(?:ならない|いけない|なりません|いけません)|[てで]も?よい|[てで](?:ください|下さい)|"
    r"[るす]?(?:こと(?:とする)?|もの(?:とする)?)|る?べき(?:である|だ|です)|ます|る)$"
)
_FORBIDDEN_JA = re.compile(
    r"(?:[てで]は(?:ならない|いけない|なりません|いけません)|る?べきで(?:は)?(?:ない|ありません)|"
    r"ない(?:こと|もの)?(?:とする)?|ません)$"
)


@dataclass(frozen=True, slots=True)
class Asked:
    """One sentence of a rule: the act, in the words that stay when "never", "must" and the like are gone."""

    act: str
    forbidden: bool


def asked(rule: str, language: str) -> Iterator[Asked]:
    """What each sentence of a rule asks for; sentences of one or two words are passed over.

    >>> list(asked("Never promise a refund.", "en")) == list(asked("The reply must not promise a refund.", "en"))
    True
    >>> [one.forbidden for one in asked("返金を約束してはならない。返金を約束しなければならない。", "ja")]
    [True, False]
    """
    for sentence in split(rule):
        plain = " ".join(sentence.strip().rstrip("。.!").split())
        one = _japanese(plain) if language == "ja" else _english(plain)
        if one.act:
            yield one


def same_words(text: str) -> str:
    """A text as it is compared word for word: without case, white space and punctuation."""
    return re.sub(r"[\W_]+", "", text.casefold())


def _english(sentence: str) -> Asked:
    words = _SHORT.sub(r"\1 not", sentence.replace("’", "'").lower())
    act = _MODAL.sub(" ", _NOT.sub(" ", _WHO.sub("", words)))
    stems = [word.removesuffix("s") for word in re.findall(r"[^\W_]+", act)]
    return Asked(" ".join(stems) if len(stems) > 1 else "", len(_NOT.findall(words)) % 2 == 1)


def _japanese(sentence: str) -> Asked:
    forbidden = None if _MUST_JA.search(sentence) else _FORBIDDEN_JA.search(sentence)
    ending = forbidden or _ASKED_JA.search(sentence)
    act = sentence[: ending.start()] if ending else sentence
    # What stays of the verb is its stem and one letter of its form: 約束し, 約束す, 示さ, 示す.
    return Asked(same_words(re.sub(r"[\u3041-\u3096]$", "", act)), forbidden is not None)
