"""Faithful revision: what an edit states must have been said before.

Judged here, not by a model, after each revision. A draft that breaks it is never released and never
revised further: the next revision starts again from the draft before, so that an invented fact cannot
become its own source.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from guardrails import facts
from guardrails.revisers._interface import Revision, Task
from guardrails.sentences import body
from guardrails.verdict import Decision, Verdict

PRINCIPLE = "revision-fidelity"
JUDGE = "fidelity"


def unfaithful(task: Task, revision: Revision) -> Verdict | None:
    """A violation of `revision-fidelity`, or None for a faithful revision.

    An edited sentence may state only facts of the sentence it replaces, of the conversation, its
    context, or the constitution, with the same unit. An appended one has no sentence to draw on. Facts
    of the kinds that a violated principle preserves may not be dropped.
    """
    said = (*(m.content for m in task.exchange.messages), *task.exchange.context, *task.constitution.stated_facts)
    sentences = task.exchange.sentences
    faults: list[tuple[int, str]] = []
    for edit in revision.edits:
        old = sentences[edit.sentence - 1]
        seen = (old, task.edits.get(edit.sentence, ""))
        faults += [(edit.sentence, f"adds {_named(fact)}") for fact in facts.missing(edit.text, [*said, *seen])]
        faults += [(edit.sentence, f"drops {_named(fact)}") for fact in _dropped(task, edit.sentence, old, edit.text)]
    if revision.append:
        faults += [(0, f"the appended text adds {_named(fact)}") for fact in facts.missing(revision.append, said)]
    if not faults:
        return None
    critique = "; ".join(f"sentence {number} {what}" if number else what for number, what in faults)
    cited = tuple(sorted({number for number, _ in faults if number}))
    return Verdict(PRINCIPLE, Decision.VIOLATES, JUDGE, critique=critique, sentences=cited, confidence=100)


def empties(task: Task, revision: Revision) -> bool:
    """Whether the revision leaves nothing of the reply."""
    kept = {edit.sentence: edit.text for edit in revision.edits}
    texts = (kept.get(number, body(s)) for number, s in enumerate(task.exchange.sentences, 1))
    return not any(text.strip() for text in texts)


def _dropped(task: Task, number: int, old: str, new: str) -> Iterator[facts.Fact]:
    kinds = _preserved(task, number)
    if kinds:
        yield from facts.missing(old, [new], kinds)


def _preserved(task: Task, number: int) -> Sequence[str]:
    """The kinds that a principle protects in this sentence; what is itself at fault is not protected."""
    cited = [v.principle for v in task.violations if not v.sentences or number in v.sentences]
    principles = [task.constitution.by_id[name] for name in cited if name in task.constitution.by_id]
    return sorted({kind for p in principles for kind in p.preserve})


def _named(fact: facts.Fact) -> str:
    return f"“{fact.text}” ({fact.kind})"
