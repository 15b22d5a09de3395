"""The loop: judge, revise, judge again, and rule. A generator that does no I/O.

The sync driver, the async one and tests all run this same generator; see `guardrails.models.Step`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from guardrails._budget import Spent
from guardrails._policy import Block, Release, Revise, decide, flagged, settled
from guardrails._setup import Scope, Setup
from guardrails.constitution import Principle
from guardrails.exchange import Exchange
from guardrails.judges import Panel
from guardrails.models import Done, Step, advance, checked
from guardrails.outcome import Attempt, Cause, Outcome, Status
from guardrails.revisers import FIDELITY, Reviser, Revision, Task, editable, empties, mend, unfaithful
from guardrails.sentences import Edit, EditError, apply, joined
from guardrails.structured import texts_of
from guardrails.verdict import Decision, Verdict


def review(
    exchange: Exchange, setup: Setup, run_id: str, calls: Sequence[str] = (), *, silent: bool = False
) -> Step[Outcome]:
    """Review one reply: returns its outcome, without `elapsed` and `reply`, which drivers know.

    `calls` are its tool calls, each as a text; `silent` says that there is no text beside them to judge.
    """
    outcome = yield from Review(exchange, setup, run_id).run(calls, silent=silent)
    assert outcome is not None
    return outcome


@dataclass(frozen=True, slots=True)
class Mended:
    """A draft that was revised and is not judged yet: after `count` attempts, from that with the index `base`."""

    draft: str
    made: Revision
    base: int
    count: int


class Review:
    """One review under way: of a whole reply, or of what a stream has said so far.

    `first` is the number of the first sentence that may still be changed: those before it are out. `spent` is
    what the call's other reviews have spent already. With `rules_first`, a draft that the rules find broken
    and can mend is mended before any other judge sees it. `known` are verdicts on the first draft that were
    found before.
    """

    def __init__(
        self,
        exchange: Exchange,
        setup: Setup,
        run_id: str,
        *,
        scope: Scope | None = None,
        spent: Spent | None = None,
        first: int = 1,
        rules_first: bool = False,
        known: Sequence[Verdict] = (),
    ) -> None:
        self.original = exchange
        self.draft = exchange
        self.made = Revision()
        self.base: int | None = None
        self.known = tuple(known)
        self.mended: Mended | None = None
        """Set all at once, because other threads look at it."""
        self.is_revising = False
        self.hands_over = False
        """Set to end the review with its next revision, unjudged: `draft` is it."""
        self.setup = setup
        self.run_id = run_id
        self.scope = scope or setup.whole
        self.spent = spent or Spent(setup.budget)
        self.first = first
        self.rules_first = rules_first
        self.attempts: list[Attempt] = []
        self.revisions = 0
        self.rungs = iter(self.scope.rungs)
        self.unsafe: tuple[str, ...] = ()

    def run(self, calls: Sequence[str] = (), *, silent: bool = False) -> Step[Outcome | None]:
        """Review the reply, then its tool calls; `silent` where there is no text to review.

        None comes of a review that hands over.
        """
        outcome = self._released(self.original.reply, ()) if silent else (yield from self._reply())
        if outcome is None or outcome.blocked or not calls or not self.setup.calls.principles:
            return outcome
        return (yield from self._calls(outcome, calls))

    def judge(self) -> Step[tuple[Verdict, ...]]:
        """The verdicts of all judges on the draft as it is."""
        return self._judge(self.scope.panel)

    def _reply(self) -> Step[Outcome | None]:
        setup = self.setup
        while not (self.hands_over and self.attempts):
            verdicts = (self.rules_first and self._mendable()) or (yield from self.judge())
            self._attempt(self.draft.reply, verdicts, self.made, self.base)
            match decide(setup.constitution, verdicts, setup.on_error, allow_unjudged=setup.allow_unjudged):
                case Release(unsafe):
                    self.unsafe = unsafe
                    return self._released(self.draft.reply, verdicts)
                case Block(cause):
                    return self._blocked(verdicts, cause)
                case Revise(violations):
                    blocked = yield from self._revise(verdicts, violations)
                    if blocked is not None:
                        return blocked
        return None

    def _revise(self, verdicts: tuple[Verdict, ...], violations: tuple[Verdict, ...]) -> Step[Outcome | None]:
        """Make the next draft; an outcome where there is none to be had."""
        # Nothing that is out is taken back.
        if any(number < self.first for verdict in violations for number in verdict.sentences):
            return self._blocked(verdicts, Cause.VIOLATION)
        self.base = len(self.attempts) - 1
        self.is_revising = True
        self.made = made = yield from self._mend(self.draft, violations, self.base)
        self.is_revising = False
        if not made:
            self.attempts[self.base] = replace(self.attempts[self.base], problem=made.problem)
            out = made.failed or self.spent.out
            return self._blocked(verdicts, Cause.ERROR if out else Cause.VIOLATION)
        self.draft = self.draft.with_reply(apply(self.draft.sentences, made.edits, made.append))
        self.mended = Mended(self.draft.reply, made, self.base, len(self.attempts))
        return None

    def _mendable(self) -> tuple[Verdict, ...]:
        """What the rules alone find, where they can mend all of it; nothing else has to be asked then."""
        if self.scope.rules is self.scope.panel:
            return ()
        judging = advance(self._judge(self.scope.rules))
        if not isinstance(judging, Done):
            return ()
        match decide(self.setup.constitution, judging.value, self.setup.on_error, allow_unjudged=True):
            case Revise(violations) if not mend(self._task(self.draft, violations))[1]:
                return judging.value
        return ()

    def _judge(self, panel: Panel) -> Step[tuple[Verdict, ...]]:
        constitution = self.setup.constitution
        found = yield from self.spent.metered(panel.judge(self.draft, self.scope.principles))
        verdicts = [*self.known, *(settled(constitution, verdict) for verdict in found)]
        self.known = ()
        decided = {verdict.principle for verdict in verdicts}
        for principle in self.scope.principles:
            if principle.id not in decided and panel.covers(principle):
                reason = "its judge gave no verdict"
                verdicts.append(Verdict(principle.id, Decision.UNDECIDED, panel.name, reason=reason))
        return tuple(verdicts)

    def _calls(self, outcome: Outcome, calls: Sequence[str]) -> Step[Outcome]:
        """Judge tool calls as texts. They are released as they are, or not at all."""
        text, setup = "\n\n".join(calls), self.setup
        judging = Review(self.original.with_reply(text), setup, self.run_id, scope=setup.calls, spent=self.spent)
        found = yield from judging._judge(setup.calls.panel)
        ruling = decide(setup.constitution, found, setup.on_error, allow_unjudged=setup.allow_unjudged)
        self.attempts.append(Attempt(text, found, calls=True))
        verdicts = (*outcome.verdicts, *found)
        if not isinstance(ruling, Release):
            return self._blocked(verdicts, ruling.cause if isinstance(ruling, Block) else Cause.VIOLATION)
        self.unsafe = tuple(dict.fromkeys((*self.unsafe, *ruling.unsafe)))
        return self._released(outcome.text, verdicts)

    def _mend(self, exchange: Exchange, violations: tuple[Verdict, ...], base: int) -> Step[Revision]:
        """The next revision that is worth judging; an empty one where there is none."""
        task, made = self._task(exchange, violations), Revision()
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
            self._attempt(apply(exchange.sentences, made.edits, made.append), (refusal,), made, base)
            task = replace(task, feedback=refusal.critique)
        return self._next_rung(exchange, made)

    def _task(self, exchange: Exchange, violations: tuple[Verdict, ...]) -> Task:
        return Task(exchange, self.setup.constitution, violations, first=self.first, checks=self.scope.checks)

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
        if made and self.scope is not self.setup.window and empties(task, made):
            refusal = Verdict(FIDELITY, Decision.VIOLATES, "fidelity", critique="the edits delete the whole reply")
        return made, refusal

    def _is_new(self, exchange: Exchange, made: Revision) -> bool:
        return apply(exchange.sentences, made.edits, made.append) not in {attempt.draft for attempt in self.attempts}

    def _next_rung(self, exchange: Exchange, last: Revision) -> Revision:
        """What the constitution says to do when revisions have run out: append a warning, or give up."""
        rung = next(self.rungs, "block")
        if rung == "append" and texts_of(exchange.reply) is None:
            self.revisions = self.setup.max_revisions
            warning = self.setup.constitution.warning_in(self.original.language)
            return Revision(append=warning, reviser="constitution")
        is_data = texts_of(exchange.reply) is not None
        why = "it is data, which is judged and never edited" if is_data else "revisions ran out"
        return Revision(problem=last.problem or why, failed=last.failed)

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

    def _asked(self) -> Sequence[Principle]:
        """The principles that this outcome answers for: those of tool calls only where there were any."""
        if self.attempts and not any(attempt.calls for attempt in self.attempts):
            return self.scope.principles
        return self.setup.constitution.principles

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
            unjudged=tuple(p.id for p in self._asked() if p.id not in decided),
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
        apply(task.exchange.sentences, made.edits, made.append)
    except EditError as error:
        return Revision(reviser=reviser.name, problem=str(error))
    except Exception as error:  # noqa: BLE001 - somebody's reviser may raise anything
        return Revision(reviser=reviser.name, problem=f"raised {type(error).__name__}", failed=True)
    return made


def _texts(revision: Revision) -> dict[int, str]:
    return {edit.sentence: edit.text for edit in revision.edits}
