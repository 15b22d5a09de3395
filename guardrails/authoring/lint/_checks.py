"""Rules about checks: each is tried by an example, and none finds what it should not."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from guardrails.authoring.lint._rule import Path, rule
from guardrails.authoring.lint._subject import Own, Subject, found, kind_of, number, trials, wordings
from guardrails.constitution import Constitution, Hit, Principle
from guardrails.errors import Problem
from guardrails.exchange import Exchange

_GROUP = re.compile(r"\\([1-9])")
_REWORD = "Write words that every principle lets pass."
_WANTED = {
    "pattern": "Add a reply under `violates:` that it finds, or remove it.",
    "require": "Add a reply under `violates:` that lacks the statement, or remove the check.",
    "grounded": "Add a reply under `violates:` with a `context:` that does not hold what the reply states.",
    "personal_data": "Add a reply under `violates:` that shows such data, or remove the check.",
}


@rule("CK01", "unexercised")
def unexercised(subject: Subject) -> Iterator[Problem]:
    r"""A check finds nothing in any violating example of its principle.

    ## Why

    A check that never fired in a test may never fire at all: a typing mistake in a pattern looks the same as a reply
    that complies.

    ## Avoid

    ```yaml
    checks:
      - pattern: '\bdeposits? (?:is|are) safe\b'
      - pattern: '\bcannot be lots\b'
    examples:
      - violates: Your deposit is safe.
      - {complies: No deposit is entirely safe., note: denies it}
    ```

    ## Prefer

    ```yaml
    checks:
      - pattern: '\bdeposits? (?:is|are) safe\b'
      - pattern: '\bcannot be lost\b'
    examples:
      - violates: Your deposit is safe.
      - violates: Your money cannot be lost.
      - {complies: No deposit is entirely safe., note: denies it}
    ```
    """
    for own in subject.own:
        hits = {id(hit.check) for trial in own.trials if trial.example.violates for hit in trial.hits}
        for index, check in enumerate(own.principle.checks):
            if id(check) not in hits:
                message = f"no violating example of {own.principle.id} exercises this check."
                yield own.problem(("checks", index), message, _WANTED[kind_of(check)])


@rule("CK02", "flags-complying")
def flags_complying(subject: Subject) -> Iterator[Problem]:
    r"""A check finds something in a complying example, of its own principle or of another one.

    Where a check of this constitution finds something in a complying example of one that it extends, the check is
    named.

    ## Why

    A hit is a violation: this reply, which somebody wrote down as one that may go out, would be changed or blocked.

    ## Avoid

    ```yaml
    checks:
      - pattern: '\bis safe\b'
    examples:
      - violates: Your deposit is safe.
      - {complies: Nobody can say that a deposit is safe., note: denies it}
    ```

    ## Prefer

    ```yaml
    checks:
      - pattern: '\bis safe\b'
        unless:
          clause: '\bnobody can (?:say|promise)\b'
    examples:
      - violates: Your deposit is safe.
      - {complies: Nobody can say that a deposit is safe., note: denies it}
    ```
    """
    for own, trial in subject.trials:
        for hit in _first_hits(trial.hits if trial.example.complies else ()):
            whose = _whose(hit, own.principle, own.constitution.by_id[hit.principle])
            advice = "Say under `unless:` what excuses it, narrow the check, or move the example."
            yield own.of(trial, f"{whose} {found(hit)} here.", advice)
    yield from _in_parents(subject)


def _in_parents(subject: Subject) -> Iterator[Problem]:
    """Complying examples of the parents in which this constitution's checks find something."""
    own = {one.principle.id: one for one in subject.own if one.principle.checks}
    complying = (
        (principle, trial.example.reply, hit)
        for principle in (subject.inherited if own else ())
        for trial in trials(principle, subject.constitution)
        for hit in _first_hits(trial.hits if trial.example.complies else ())
    )
    for principle, reply, hit in complying:
        if hit.principle in own:
            one = own[hit.principle]
            message = f"this check {found(hit)} in a complying example of {principle.id}: {reply}"
            path = ("checks", number(hit.check, one.principle) - 1)
            yield one.problem(path, message, "Say under `unless:` what excuses it, or narrow the check.")


def _first_hits(hits: tuple[Hit, ...]) -> Iterator[Hit]:
    """The first hit of each check."""
    yield from {id(hit.check): hit for hit in reversed(hits)}.values()


def _whose(hit: Hit, own: Principle, principle: Principle) -> str:
    which = f"check {number(hit.check, principle)}"
    return which if principle is own else f"{which} of {principle.id}"


@rule("CK05", "flagged-wording")
def flagged_wording(subject: Subject) -> Iterator[Problem]:
    r"""What a check puts into a reply (`replace`, `append`, `prepend`) is found by a check, its own or another one.

    Two principles contradict each other where one adds what the other forbids. The constitution's own `warning` and
    `fallback` are looked at, too. Statements that other principles require, and facts that have to be grounded, are
    not: they depend on the rest of the reply.

    ## Why

    A mended reply is judged again. This one is blocked once revisions run out, whatever it says otherwise.

    ## Avoid

    ```yaml
    checks:
      - pattern: '\bis safe\b'
        fix:
          replace: is safe up to the legal limit
    examples:
      - violates: Your deposit is safe.
      - {complies: Safety has a limit., note: speaks of safety}
    ```

    ## Prefer

    ```yaml
    checks:
      - pattern: '\bis safe\b'
        fix:
          replace: is insured up to the legal limit
    examples:
      - violates: Your deposit is safe.
      - {complies: Safety has a limit., note: speaks of safety}
    ```
    """
    for own in subject.own:
        for path, text in dict.fromkeys(_added(own)):
            for hit in _wrong(text, own.constitution):
                whose = _whose(hit, own.principle, own.constitution.by_id[hit.principle])
                message = f"{whose} {found(hit)} in what is added here."
                yield own.problem(path, message, _REWORD)
    yield from _at_the_end(subject.constitution)


def _at_the_end(constitution: Constitution) -> Iterator[Problem]:
    """What the checks find in the texts of the constitution's own file that end a revision."""
    file, document = constitution.source.file, constitution.source.document
    own = {"warning": file.warning and constitution.warning, "fallback": file.fallback and constitution.fallback}
    texts = [((key, language), text) for key, said in own.items() for language, text in (said or {}).items()]
    for path, text in texts:
        for hit in _wrong(text, constitution):
            yield document.problem(path, f"a check of {hit.principle} {found(hit)} here.", _REWORD)


def _wrong(text: str, constitution: Constitution) -> Iterator[Hit]:
    """What the checks find in a sentence of a text; what the whole of a reply lacks is not looked at."""
    yield from (hit for hit in _first_hits(constitution.checks.run(Exchange((), text)).hits) if hit.sentence)


def _added(own: Own) -> Iterator[tuple[Path, str]]:
    """What the checks may add, with its path."""
    for index, check in enumerate(own.principle.checks):
        matches = [hit.match for trial in own.trials for hit in trial.hits if hit.check is check and hit.match]
        for path, texts in wordings(check):
            for language, text in texts.items():
                at: Path = ("checks", index, *path, language)
                yield from ((at, filled) for filled in _filled(text, matches))


def _filled(wording: str, matches: Sequence[Any]) -> Iterator[str]:
    """A wording as it is, or where it repeats a part of what was found, as it turns out in the examples."""
    if not _GROUP.search(wording):
        yield wording
        return
    for match in matches:
        groups = dict(enumerate((match.group(), *match.groups(""))))
        yield "".join(part if i % 2 == 0 else groups.get(int(part), "") for i, part in enumerate(_GROUP.split(wording)))
