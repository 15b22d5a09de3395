"""The rule about words that leave it to the reader what a rule asks for."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from guardrails.authoring.lint._rule import rule
from guardrails.authoring.lint._subject import Subject
from guardrails.errors import Problem
from guardrails.sentences import split

_QUOTED = re.compile(r"\"[^\"]*\"|“[^“”]*”|(?<!\w)'[^']*'(?!\w)|「[^「」]*」|『[^『』]*』")
# Terms of law and trade that hold such a word and mean something definite are told by what follows.
_ENGLISH = (
    r"(?:in)?appropriate(?:ly)?",
    r"(?:un)?reasonabl[ey](?! (?:doubt|accommodation|basis))",
    r"proper(?:ly)?(?! (?:noun|name))",
    r"(?:in)?adequate(?:ly)?",
    r"(?:in)?sufficient(?:ly)?(?! (?:funds|balance))",
    r"(?:as|where|when|if) (?:needed|necessary|possible|applicable|relevant|required(?! (?:by|under)))",
    r"as (?:far|much|soon|often|little) as (?:possible|practicable)",
    r"to the extent possible",
    r"etc",
    r"and so (?:on|forth)",
    r"and the like",
    r"unduly",
    r"excessive(?:ly)?",
    r"some(?:how|what)",
    r"some (?:kind|sort) of",
    r"in most cases",
    r"in a timely manner",
    r"best (?:practices?|efforts)",
    r"common sense",
    r"high[- ]quality",
    r"user[- ]friendly",
    r"(?:good|bad|nice|great) (?:answers?|repl(?:y|ies)|responses?|advice|taste|judge?ment|manners|tone|words?)",
    r"(?:good|bad|nice|great) (?:way|information|content|quality|language|practices?|service)",
)
_JAPANESE = (
    r"適切[にな]",
    r"適宜",
    r"適当[にな]",
    r"[十充]分[にな]",
    r"なるべく",
    r"(?:できる|出来る)(?:だけ|限り)",
    r"可能な(?:限り|範囲で)",
    r"極力",
    r"(?:必要|状況|場合)に応じて",
    r"場合によって",
    r"ある程度",
    r"しかるべ[きく]",
    r"(?:きちん|ちゃん)と",
    r"しっかり",
    r"うまく",
    r"妥当[にな]",
    r"相応[にの]",
    r"合理的[にな](?!根拠)",
    r"過度[にな]",
    r"(?:良い|よい|悪い)(?=回答|答え|内容|表現|助言)",
    r"(?:など|(?<![平同対均高上下劣優一二三初中])等)(?=[。.]?\s*$)",
)
_VAGUE = {
    "en": re.compile(rf"\b(?:{'|'.join(_ENGLISH)})(?!\w)", re.IGNORECASE),
    "ja": re.compile("|".join(_JAPANESE)),
}


@rule("WD02", "vague")
def vague(subject: Subject) -> Iterator[Problem]:
    """A rule, or a critique, holds words that leave open what is asked for.

    English: appropriate, reasonable, proper, adequate, sufficient, where necessary, as soon as possible, etc., and so
    on, excessive, good advice. Japanese: 適切に, 適宜, 十分に, なるべく, できるだけ, 必要に応じて, and など or 等 at
    the end of a sentence. Words in quotation marks are not looked at, nor terms of law and trade that mean something
    definite: reasonable doubt, insufficient funds, "as required by" a law.

    ## Why

    Each reader fills the gap in another way: judges disagree, and nobody can say in advance what will be blocked.

    ## Avoid

    ```yaml
    rule: {en: "Give appropriate warnings about fees, deadlines, etc."}
    ```

    ## Prefer

    ```yaml
    rule: {en: A reply that names a product states its yearly fee and the last day on which it can be returned.}
    ```
    """
    for own in subject.own:
        for key in ("rule", "critique"):
            text: Mapping[str, str] = getattr(own.principle, key) or {}
            for language in (one for one in text if one in _VAGUE):
                for word in dict.fromkeys(_words(text[language], language)):
                    message = f"“{word}” leaves open what is asked for."
                    yield own.problem((key, language), message, "Say what a reply has to hold, or where the limit is.")


def _words(text: str, language: str) -> Iterator[str]:
    for sentence in split(_QUOTED.sub(" ", text)):
        for match in _VAGUE[language].finditer(" ".join(sentence.split())):
            yield match[0].lower()
