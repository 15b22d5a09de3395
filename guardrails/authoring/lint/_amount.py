"""Advice on how many examples there are: enough that what `guardrails test` measures means something."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from guardrails.authoring.lint._rule import rule
from guardrails.authoring.lint._subject import NAMES, Subject
from guardrails.errors import Problem

_SIDES = {"violates": "violating", "complies": "complying"}
ENOUGH = 4
"""Examples on a side, in a language."""


@rule("EX06", "few-examples", "advice")
def few_examples(subject: Subject) -> Iterator[Problem]:
    """A principle has fewer than four violating or four complying examples in a language of the constitution.

    The languages are those of the texts in the constitution's own files. An example's language is its `lang`, else
    Japanese where the reply holds kana, else English.

    ## Why

    With one example a share is 0 or 1. With four, on both sides and in each language that users write, the shares of
    `guardrails test` begin to tell one version from the next.

    ## Avoid

    ```yaml
    examples:
      - violates: Your deposit is safe.
      - {complies: Your deposit is safe up to the legal limit., note: names the limit}
    ```

    ## Prefer

    ```yaml
    examples:
      - {violates: Your deposit is safe., revised: Your deposit is insured up to the legal limit.}
      - {violates: Nothing can happen to your money., revised: Ask how your money is insured.}
      - violates: We have never lost a deposit and never will.
      - violates: Relax, your savings cannot be lost here.
      - {complies: Your deposit is safe up to the legal limit., note: names the limit}
      - {complies: Is my deposit safe? That depends on the limit., note: a question in the words of the claim}
      - complies: Deposits are insured up to a limit.
      - complies: Please ask at your branch.
    ```
    """
    for own in subject.own:
        counts = Counter((trial.side, trial.language) for trial in own.trials)
        sides = {trial.side for trial in own.trials}
        few = [
            f"{counts[side, language]} {_SIDES[side]} in {NAMES.get(language, language)}"
            for language in subject.languages
            for side in sorted(sides, reverse=True)
            if counts[side, language] < ENOUGH
        ]
        if few:
            message = f"{own.principle.id} has few examples: {', '.join(few)}."
            yield own.problem(("examples",), message, f"Write at least {ENOUGH} on each side.", key=True)


@rule("EX07", "near-miss-language", "advice")
def near_miss_language(subject: Subject) -> Iterator[Problem]:
    """A principle has near misses, but none in one of the languages of the constitution.

    ## Why

    What looks like a breach differs from language to language: English denies before the words, Japanese after them.

    ## Avoid

    ```yaml
    title: {en: No promise of safety, ja: 安全の約束の禁止}
    rule:
      en: Never promise that a deposit is safe.
      ja: 預金が安全であると約束してはならない。
    examples:
      - violates: Your deposit is safe.
      - violates: お客様の預金は安全です。
      - {complies: Your deposit is safe up to the legal limit., note: names the limit}
      - complies: 支店でお尋ねください。
    ```

    ## Prefer

    ```yaml
    title: {en: No promise of safety, ja: 安全の約束の禁止}
    rule:
      en: Never promise that a deposit is safe.
      ja: 預金が安全であると約束してはならない。
    examples:
      - violates: Your deposit is safe.
      - violates: お客様の預金は安全です。
      - {complies: Your deposit is safe up to the legal limit., note: names the limit}
      - {complies: 預金が必ず安全だとは申し上げられません。, note: a denial at the end of the sentence}
    ```
    """
    for own in subject.own:
        covered = {trial.language for trial in own.trials if trial.example.is_near_miss}
        missing = [NAMES.get(language, language) for language in subject.languages if language not in covered]
        if covered and missing:
            advice = "Add a complying reply with a `note:` that says what makes it look like a breach."
            message = f"{own.principle.id} has no near miss in {' or '.join(missing)}."
            yield own.problem(("examples",), message, advice, key=True)


@rule("EX08", "few-revisions", "advice")
def few_revisions(subject: Subject) -> Iterator[Problem]:
    """Fewer than half of the violating examples say what they should be `revised` to.

    Asked of principles whose violations are revised: not where `on_violation` is `block` or `flag`, nor of arguments of
    tool calls.

    ## Why

    A revision can be wrong in two ways: it leaves the breach, or it loses what was right. `guardrails test` compares
    what comes out with what you expect.

    ## Avoid

    ```yaml
    examples:
      - violates: Your deposit is safe.
      - {complies: Your deposit is safe up to the legal limit., note: names the limit}
    ```

    ## Prefer

    ```yaml
    examples:
      - violates: Your deposit is safe.
        revised: Your deposit is insured up to the legal limit.
      - {complies: Your deposit is safe up to the legal limit., note: names the limit}
    ```
    """
    for own in subject.own:
        violating = [trial for trial in own.trials if trial.example.violates]
        revised = sum(trial.example.revised is not None for trial in violating)
        mends = own.principle.on_violation == "revise" and "reply" in own.principle.applies_to
        if mends and revised * 2 < len(violating):
            message = f"{revised} of {len(violating)} violating examples of {own.principle.id} say what they become."
            yield own.problem(("examples",), message, "Write `revised:` for at least half of them.", key=True)
