"""The rule about what nobody can see in a reply: thoughts, efforts, character."""

from __future__ import annotations

import re
from collections.abc import Iterator

from guardrails.authoring.lint._rule import rule
from guardrails.authoring.lint._subject import Subject
from guardrails.errors import Problem
from guardrails.sentences import split

# A sentence is told by how it begins: "When asked, the reply should always …", "…" being one of those below.
_CONDITION = r"(?:(?:when|if|where|for|in|with|before|after|while|unless)\b[^,]{0,200}, )?"
_WHO = (
    r"(?:(?:(?:the|a|an|any|every|each|your|all|its|this) )?(?:(?:ai|virtual|digital|chat) )?"
    r"(?:repl(?:y|ies)|answers?|responses?|assistants?|models?|ai|(?:chat)?bots?|systems?|agents?|you|it|we) )?"
)
_MUST = (
    r"(?:(?:must|should|shall|will|ought to|ha(?:s|ve) to|needs? to|(?:is|are) (?:expected )?to|does|do|"
    r"always|please|also) ){0,3}"
)
_STATES = (
    r"understands?|thinks?|feels?|believes?|knows?|remembers?|considers?|reali[sz]es?|appreciates?|respects?|"
    r"[es]mpathi[sz]es?|cares? (?:about|for|that)|(?:tr(?:y|ies)|strives?|aims?|seeks?|endeavou?rs?|attempts?|"
    r"intends?|wants?) to|(?:takes?|exercises?|uses?) (?:\w+ )?(?:care|caution)|pays? (?:\w+ )?attention|"
    r"(?:keeps?|bears?) (?:[^,.;]{1,40} )?in mind|do (?:your|its) best|makes? every effort|"
    r"(?:acts?|behaves?) (?:\w+ly|in good faith|in the (?:user's )?best interests?)"
)
_TRAITS = (
    r"helpful|honest|harmless|kind|nice|good|polite|courteous|respectful|friendly|considerate|careful|cautious|"
    r"thoughtful|mindful|aware|conscious|empathe?tic|sympathetic|compassionate|caring|fair|ethical|moral|professional|"
    r"responsible|sensitive|truthful|transparent|trustworthy|reliable|unbiased|neutral|objective|impartial|accurate|"
    r"correct|safe|wise|smart|intelligent|inclusive|patient|humble|attentive|prudent|supportive|reasonable"
)
_BE = r"(?:be|is|are|stays?|remains?)(?: \w+ly| as| always| both| very| more){0,2}"
_ENGLISH = re.compile(rf"^{_CONDITION}{_WHO}{_MUST}((?:{_STATES}|{_BE} (?:{_TRAITS}))\b(?!-))", re.IGNORECASE)

# A Japanese sentence is told by how it ends.
_EFFORTS = (
    r"(?:心がけ|心掛け|努め|気をつけ|気を付け|心に留め|心を込め)(?:る|な(?:ければ|くては)|て|ましょう|ます)",
    r"(?:意識|努力|配慮|留意|理解|尊重|考慮|(?<=に)注意)(?:する|すべき|しな(?:ければ|くては)|して|しましょう|します)",
    r"(?:寄り添|目指|念頭に置|注意を払)(?:う|い|す|し|く|き|わなければ|さなければ|かなければ)",
    r"(?:親切|丁寧|誠実|公平|公正|中立|客観的|謙虚|慎重|正直)(?:である|であれ|でいる)",
    r"(?:親切|丁寧|誠実|公平|公正|中立|客観的|謙虚|慎重|正直)に(?:(?:対応|応対|行動|回答|接)(?:す|し)|振る舞[うい])",
    r"役に?立つ(?=こと|ように|べき|。|$)",
)
_JAPANESE = re.compile(rf"((?:{'|'.join(_EFFORTS)})[\u3041-\u3096]{{0,16}})[。.!]?$")
_UNSEEN = {"en": _ENGLISH, "ja": _JAPANESE}


@rule("WD01", "not-observable")
def not_observable(subject: Subject) -> Iterator[Problem]:
    """A sentence of a rule asks for a state of mind, an effort or a character, not for something that a reply does.

    It is told by its verb: understand, consider, care, try to, be helpful; 心がける, 努める, 配慮する, 誠実に対応する.
    What a reply states, gives, names or promises, or may not, can be observed.

    ## Why

    A judge sees the reply and nothing else. Two people who read "be helpful" and the same reply disagree, and so do two
    runs of a model; "name the office that decides" they judge alike.

    ## Avoid

    ```yaml
    rule: {en: The reply must be helpful. Try to explain how deposits are insured.}
    ```

    ## Prefer

    ```yaml
    rule: {en: The reply names the limit up to which deposits are insured.}
    ```
    """
    for own in subject.own:
        for language, text in own.principle.rule.items():
            for sentence in split(text) if language in _UNSEEN else ():
                match = _UNSEEN[language].search(" ".join(sentence.split()))
                if match:
                    advice = "Say what a reply states, gives or names, or may not: what one can point at."
                    yield own.problem(("rule", language), f"“{match[1]}” cannot be observed in a reply.", advice)
