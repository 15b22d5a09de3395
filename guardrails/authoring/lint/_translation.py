"""The rule about texts that lack a language."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from guardrails.authoring.lint._rule import Path, rule
from guardrails.authoring.lint._subject import NAMES, Own, Subject, wordings
from guardrails.constitution import Check
from guardrails.errors import Problem

_JAPANESE = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]")
_LATIN = re.compile(r"[a-z]{3}", re.IGNORECASE)


@rule("TR01", "missing-translation")
def missing_translation(subject: Subject) -> Iterator[Problem]:
    r"""A text lacks one of the languages that the constitution's own files are written in.

    It concerns `title`, `rule`, `critique`, `revision`, `append`, `prepend`, `fallback`, `warning`, `facts` and
    `replace`. The wording of a check whose patterns are all in one language is needed in that language alone: a
    replacement is taken in the language of the sentence that it mends.

    ## Why

    Where a language is missing, English stands in: a Japanese user reads an English disclosure, a Japanese auditor an
    English rule.

    ## Avoid

    ```yaml
    title: {en: No promise of safety, ja: 安全の約束の禁止}
    rule: {en: Never promise that a deposit is safe.}
    ```

    ## Prefer

    ```yaml
    title: {en: No promise of safety, ja: 安全の約束の禁止}
    rule: {en: Never promise that a deposit is safe., ja: 預金が安全であると約束してはならない。}
    ```
    """
    source = subject.constitution.source
    for path, text in _top(subject):
        for message, advice in _missing(path, text, subject.languages):
            yield source.document.problem(path, message, advice, key=True)
    for own in subject.own:
        for path, text, languages in _texts(own, subject.languages):
            for message, advice in _missing(path, text, languages):
                yield own.problem(path, message, advice, key=True)


def _top(subject: Subject) -> Iterator[tuple[Path, Mapping[str, str] | None]]:
    file = subject.constitution.source.file
    yield from [(("title",), file.title), (("fallback",), file.fallback), (("warning",), file.warning)]
    for index, fact in enumerate(file.facts):
        yield ("facts", index), fact


def _texts(own: Own, languages: Sequence[str]) -> Iterator[tuple[Path, Mapping[str, str] | None, Sequence[str]]]:
    for key in ("title", "rule", "critique", "revision"):
        yield (key,), getattr(own.principle, key), languages
    for index, check in enumerate(own.principle.checks):
        spoken = _spoken(check)
        for path, text in wordings(check):
            yield ("checks", index, *path), text, [one for one in languages if not spoken or one in spoken]


def _missing(path: Path, text: Mapping[str, str] | None, languages: Sequence[str]) -> Iterator[tuple[str, str]]:
    missing = [language for language in languages if language not in text] if text else []
    if missing:
        named = " and ".join(NAMES.get(language, language) for language in missing)
        name = next(part for part in reversed(path) if isinstance(part, str))
        yield f"`{name}` is not there in {named}.", f"Add {', '.join(f'`{language}: …`' for language in missing)}."


def _spoken(check: Check) -> set[str]:
    """The languages of the patterns that lead to a check's wording; none where it is added to any reply."""
    patterns = [*getattr(check, "pattern", ()), *getattr(check, "when", ()), *getattr(check, "when_prompt", ())]
    return {"ja" if _JAPANESE.search(one) else "en" for one in patterns if _JAPANESE.search(one) or _LATIN.search(one)}
