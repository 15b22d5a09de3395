"""The rule reviser: wording that the compliance team wrote. It goes first, before any model."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from guardrails import personal_data
from guardrails.constitution import Hit, text_in
from guardrails.exchange import language_of
from guardrails.models import Step
from guardrails.patterns import compiled
from guardrails.revisers._interface import Revision, Task
from guardrails.sentences import Edit, apply, body, joined
from guardrails.verdict import Verdict
from guardrails.views import view

_GROUP = re.compile(r"\\([1-9])")
_MASK = "***"


class RuleReviser:
    """Deletes, replaces or masks what the checks hit, and adds required statements.

    >>> RuleReviser().name
    'rules'
    """

    name = "rules"

    def revise(self, task: Task) -> Step[Revision]:
        """Apply the fixes of the violated principles' checks."""
        yield from ()  # a step that needs nothing done
        return mend(task)[0]


def mend(task: Task) -> tuple[Revision, tuple[Verdict, ...]]:
    """The revision that the fixes alone make, and the violations that they leave to somebody else."""
    violated = {verdict.principle for verdict in task.violations}
    checks = task.checks or task.constitution.checks
    hits = [hit for hit in checks.run(task.exchange).hits if hit.principle in violated]
    by_sentence: dict[int, list[Hit]] = {}
    mended: dict[str, set[int]] = {}
    for hit in hits:
        if hit.sentence and hit.fix:
            by_sentence.setdefault(hit.sentence, []).append(hit)
        if hit.fix or _said(hit, "append") or _said(hit, "prepend"):
            mended.setdefault(hit.principle, set()).add(hit.sentence)
    sentences = task.exchange.sentences
    edits = {number: _mended(sentences[number - 1], found) for number, found in sorted(by_sentence.items())}
    edits |= _repeats({number: text for number, text in edits.items() if _whole(by_sentence[number])})
    before, after = _disclosures(task, hits, apply(task.exchange.sentences, map(Edit, edits, edits.values())))
    if before and sentences and task.first == 1:
        edits[1] = joined(*before, edits.get(1, body(sentences[0])))
    elif before:
        after = [*before, *after]
    revision = Revision(
        edits=tuple(Edit(number, text) for number, text in sorted(edits.items())),
        append=joined(*after) or None,
        reviser=RuleReviser.name,
    )
    return revision, tuple(v for v in task.violations if not _covered(v, mended.get(v.principle, set())))


def _covered(verdict: Verdict, sentences: set[int]) -> bool:
    return set(verdict.sentences) <= sentences if verdict.sentences else 0 in sentences


def _mended(sentence: str, hits: Sequence[Hit]) -> str:
    """A sentence with its fixes applied: one that concerns all of it wins, else each match is mended."""
    for hit in hits:
        if hit.fix and hit.fix.sentence:
            return _replacement(hit, sentence)
    start = len(sentence) - len(sentence.lstrip())
    text, position = "", start
    for hit in _apart(hits):
        replacement = _replacement(hit, sentence)
        text += sentence[position : hit.start] + replacement
        position = hit.end
        if not replacement and text.endswith(" ") and sentence[position : position + 1] == " ":
            position += 1  # what is deleted leaves one space, not two
    return body(text + sentence[position:])


def _apart(hits: Sequence[Hit]) -> Iterator[Hit]:
    """Matches from left to right, each beginning where the last one had ended."""
    end = 0
    for hit in sorted(hits, key=lambda h: (h.start, -h.end)):
        if hit.start >= end:
            yield hit
            end = hit.end


def _replacement(hit: Hit, sentence: str) -> str:
    fix = hit.fix
    assert fix is not None
    if fix.delete:
        return ""
    matched = sentence[hit.start : hit.end]
    if fix.mask:
        return personal_data.masked(hit.what, matched) if hit.what else _MASK
    assert fix.replace is not None
    wording = _GROUP.sub(lambda group: _group(hit, int(group[1])), text_in(fix.replace, language_of(sentence)))
    if matched[:1].isupper() and not any(map(str.isalnum, _before(sentence, hit.start))):
        return wording[:1].upper() + wording[1:]
    return wording


def _before(sentence: str, position: int) -> str:
    """The sentence's own words before a position: without the marker of a list."""
    return sentence[len(sentence.rstrip()) - len(body(sentence)) : position]


def _group(hit: Hit, number: int) -> str:
    if hit.match is None or number > len(hit.match.groups()):
        return ""
    return hit.match.group(number) or ""


def _whole(hits: Sequence[Hit]) -> bool:
    return any(hit.fix and hit.fix.sentence for hit in hits)


def _repeats(edits: Mapping[int, str]) -> dict[int, str]:
    """Of the sentences that the same wording replaces, the first keeps it: the others are deleted."""
    seen: set[str] = set()
    deleted = {}
    for number, text in edits.items():
        if text in seen:
            deleted[number] = ""
        seen.add(text)
    return deleted


def _disclosures(task: Task, hits: Sequence[Hit], mended: str) -> tuple[list[str], list[str]]:
    """What has to be said before and after the reply, but for what the mended text says already."""
    said = view(mended).text
    language = language_of(task.exchange.reply) if task.exchange.reply.strip() else task.exchange.language
    found: tuple[list[str], list[str]] = ([], [])
    for hit in hits:
        if any(compiled(pattern).search(said) for pattern in getattr(hit.check, "require", ())):
            continue
        for place, texts in zip(found, (_said(hit, "prepend"), _said(hit, "append")), strict=True):
            if texts and (text := text_in(texts, language)) not in place:
                place.append(text)
    return found


def _said(hit: Hit, where: str) -> dict[str, str] | None:
    texts: dict[str, str] | None = getattr(hit.check, where, None)
    return texts
