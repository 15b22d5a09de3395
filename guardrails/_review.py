"""The loop: judge, revise, judge again, and rule. A generator that does no I/O.

The sync driver, the async one and tests all run this same generator; see `guardrails.models.Step`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TypeVar

from guardrails._budget import Budget, Spent
from guardrails._policy import Block, OnError, Release, Revise, decide, flagged, settled
from guardrails.constitution import Constitution, Principle
from guardrails.exchange import Exchange
from guardrails.judges import Judge, Panel, RuleJudge
from guardrails.models import Step, checked
from guardrails.outcome import Attempt, Cause, Outcome, Status
from guardrails.revisers import FIDELITY, Reviser, Revision, Task, editable, empties, mend, unfaithful
from guardrails.sentences import Edit, EditError, apply, joined
from guardrails.structured import texts_of
from guardrails.verdict import Decision, Verdict

T = TypeVar("T")


@dataclass(frozen=True)
class Setup:
    """What a guard reviews with."""

    constitution: Constitution
    judges: tuple[Judge, ...] = ()
    """Besides the rules, which always run."""
    reviser: Reviser | None = None
    """Besides the fixes, which always go first."""
    budget: Budget = field(default_factory=Budget)
    max_revisions: int = 2
    on_error: OnError = "block"
    allow_unjudged: bool = False

    def __post_init__(self) -> None:
        rules = RuleJudge().with_checks(self.constitution.principles, self.constitution.checks)
        object.__setattr__(self, "panel", Panel([rules, *self.judges]))

    panel: Panel = field(init=False)

    def uncovered(self) -> tuple[Principle, ...]:
        """The principles that no judge decides."""
        return tuple(p for p in self.constitution.principles if not self.panel.covers(p))


def review(exchange: Exchange, setup: Setup, run_id: str) -> Step[Outcome]:
    """Review one reply: returns its outcome, without `elapsed` and `reply`, which drivers know."""
    return (yield from _Review(exchange, setup, run_id).run())


def unjudged(exchange: Exchange, setup: Setup, run_id: str) -> Step[Outcome]:
    """The outcome of a reply that holds no text: it passes, and every principle stands as unjudged."""
    yield from ()
    return _Review(exchange, setup, run_id).passed_unjudged()


class _Review:
    """One review under way."""

    def __init__(self, exchange: Exchange, setup: Setup, run_id: str) -> None:
        self.original = exchange
        self.setup = setup
        self.run_id = run_id
        self.spent = Spent(setup.budget)
        self.attempts: list[Attempt] = []
        self.revisions = 0
        self.rungs = iter(setup.constitution.settings.exhausted)
        self.unsafe: tuple[str, ...] = ()

    def passed_unjudged(self) -> Outcome:
        return self._released(self.original.reply, ())

    def run(self) -> Step[Outcome]:
        exchange, made = self.original, Revision()
        base: int | None = None
        while True:
            verdicts = yield from self._judge(exchange)
            self._attempt(exchange.reply, verdicts, made, base)
            setup = self.setup
            match decide(setup.constitution, verdicts, setup.on_error, allow_unjudged=setup.allow_unjudged):
                case Release(unsafe):
                    self.unsafe = unsafe
                    return self._released(exchange.reply, verdicts)
                case Block(cause):
                    return self._blocked(verdicts, cause)
                case Revise(violations):
                    base = len(self.attempts) - 1
                    made = yield from self._mend(exchange, violations, base)
                    if not made:
                        self.attempts[base] = replace(self.attempts[base], problem=made.problem)
                        out = made.failed or self.spent.out
                        return self._blocked(verdicts, Cause.ERROR if out else Cause.VIOLATION)
                    exchange = exchange.with_reply(apply(exchange.reply, made.edits, made.append))

    def _judge(self, exchange: Exchange) -> Step[tuple[Verdict, ...]]:
        constitution, panel = self.setup.constitution, self.setup.panel
        found = yield from self.spent.metered(panel.judge(exchange, constitution.principles))
        verdicts = [settled(constitution, verdict) for verdict in found]
        decided = {verdict.principle for verdict in verdicts}
        for principle in constitution.principles:
            if principle.id not in decided and panel.covers(principle):
                reason = "its judge gave no verdict"
                verdicts.append(Verdict(principle.id, Decision.UNDECIDED, panel.name, reason=reason))
        return tuple(verdicts)

    def _mend(self, exchange: Exchange, violations: tuple[Verdict, ...], base: int) -> Step[Revision]:
        """The next revision that is worth judging; an empty one where there is none."""
        task = Task(exchange, self.setup.constitution, violations)
        made = Revision()
        while self.revisions < self.setup.max_revisions and texts_of(exchange.reply) is None:
            self.revisions += 1
            try:
                made, refusal = yield from self._revision(task)
            except Exception as error:  # noqa: BLE001 - a fix that breaks is no fix, and the run has a record
                made, refusal = Revision(problem=f"raised {type(error).__name__}", failed=True), None
            if not made or (refusal is None and not self._is_new(exchange, made)):
                break
            if refusal is None:
                return made
            self._attempt(apply(exchange.reply, made.edits, made.append), (refusal,), made, base)
            task = replace(task, feedback=refusal.critique)
        return self._next_rung(exchange, made)

    def _revision(self, task: Task) -> Step[tuple[Revision, Verdict | None]]:
        """Fixes first, then the reviser for what they leave; and why the result may not even be judged."""
        fixes, left = mend(task)
        own, refusal = Revision(), None
        if left and self.setup.reviser is not None:
            rest = replace(task, violations=left, edits=_texts(fixes), append=fixes.append)
            own = yield from self.spent.metered(_safely(self.setup.reviser, rest))
            if not own:
                return own, None
            refusal = unfaithful(rest, own)
        edits = {**_texts(fixes), **_texts(own)}
        made = Revision(
            tuple(Edit(number, text) for number, text in sorted(edits.items())),
            joined(fixes.append or "", own.append or "") or None,
            "+".join(one.reviser for one in (fixes, own) if one),
        )
        if made and empties(task, made):
            refusal = Verdict(FIDELITY, Decision.VIOLATES, "fidelity", critique="the edits delete the whole reply")
        return made, refusal

    def _is_new(self, exchange: Exchange, made: Revision) -> bool:
        return apply(exchange.reply, made.edits, made.append) not in {attempt.draft for attempt in self.attempts}

    def _next_rung(self, exchange: Exchange, last: Revision) -> Revision:
        """What the constitution says to do when revisions have run out: append a warning, or give up."""
        rung = next(self.rungs, "block")
        if rung == "append" and texts_of(exchange.reply) is None:
            self.revisions = self.setup.max_revisions
            warning = self.setup.constitution.warning_in(self.original.language)
            return Revision(append=warning, reviser="constitution")
        return Revision(problem=last.problem or "revisions ran out", failed=last.failed)

    def _attempt(self, draft: str, verdicts: tuple[Verdict, ...], made: Revision, base: int | None) -> None:
        self.attempts.append(Attempt(draft, verdicts, made.edits, made.append, made.reviser, base))

    def _released(self, text: str, verdicts: tuple[Verdict, ...]) -> Outcome:
        if text == self.original.reply:
            return self._outcome(Status.PASSED, None, text, verdicts)
        return self._outcome(Status.REVISED, Cause.VIOLATION, text, verdicts)

    def _blocked(self, verdicts: tuple[Verdict, ...], cause: Cause) -> Outcome:
        fallback = self.setup.constitution.fallback_in(self.original.language)
        late = cause is Cause.ERROR and self.spent.out
        return self._outcome(Status.BLOCKED, Cause.BUDGET if late else cause, fallback, verdicts)

    def _outcome(self, status: Status, cause: Cause | None, text: str, verdicts: tuple[Verdict, ...]) -> Outcome:
        constitution = self.setup.constitution
        decided = {verdict.principle for verdict in verdicts}
        return Outcome(
            status=status,
            cause=cause,
            text=text,
            run_id=self.run_id,
            constitution=constitution.ref,
            original=self.original.reply,
            verdicts=verdicts,
            attempts=tuple(self.attempts),
            unjudged=tuple(p.id for p in constitution.principles if p.id not in decided),
            flags=flagged(constitution, verdicts),
            usage=self.spent.usage,
            unsafe=self.unsafe,
        )


def _safely(reviser: Reviser, task: Task) -> Step[Revision]:
    """A reviser that raises, or edits what it may not, has made no revision."""
    try:
        made = yield from checked(reviser.revise(task))
        outside = {edit.sentence for edit in made.edits} - editable(task)
        if outside:
            return Revision(reviser=reviser.name, problem=f"edited sentences that are not at fault: {sorted(outside)}")
        apply(task.exchange.reply, made.edits, made.append)
    except EditError as error:
        return Revision(reviser=reviser.name, problem=str(error))
    except Exception as error:  # noqa: BLE001 - somebody's reviser may raise anything
        return Revision(reviser=reviser.name, problem=f"raised {type(error).__name__}", failed=True)
    return made


def _texts(revision: Revision) -> dict[int, str]:
    return {edit.sentence: edit.text for edit in revision.edits}
