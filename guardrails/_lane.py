"""One alternative of a streamed reply, from the first chunk to its outcome: what is reviewed of it, and when. No I/O.

Reviews run elsewhere, in other threads too, and change nothing here: a lane begins them, and is told what came
of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from time import monotonic

from guardrails._budget import Spent
from guardrails._passage import Passage
from guardrails._review import Mended, Review
from guardrails._setup import Scope, Setup
from guardrails.exchange import Exchange
from guardrails.models import Step
from guardrails.outcome import Attempt, Cause, Outcome, Status
from guardrails.sentences import split
from guardrails.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Window:
    """Some sentences that were judged and may go out: number `first` is the first of them."""

    number: int
    first: int
    released: str
    attempts: tuple[Attempt, ...]


class Lane:
    """One alternative of the reply."""

    def __init__(self, exchange: Exchange, setup: Setup, run_id: str) -> None:
        self.exchange = exchange
        self.run_id = run_id
        self.passage = Passage()
        self.is_complete = False
        """Whether a stop reason was heard."""
        self.calls: tuple[str, ...] = ()
        self.outcome: Outcome | None = None
        self._began = monotonic()
        self._setup = setup
        self._spent = Spent(setup.budget)
        self._ready: list[str] = []
        self._taken: list[str] = []
        self._attempts: list[Attempt] = []
        self._windows = 0
        self._review: Review | None = None
        self._first = 1
        self._carried: Mended | None = None
        self._known: tuple[Verdict, ...] = ()

    @property
    def holds_calls(self) -> bool:
        """Whether tool calls have to wait for the end."""
        return bool(self._setup.calls.principles)

    @property
    def is_due(self) -> bool:
        """Whether there are whole sentences to be judged now; data is judged as a whole."""
        return bool(self._ready) and not self._setup.holds_streams and self.passage.begins not in {"{", "["}

    @property
    def is_revising(self) -> bool:
        """Whether the review under way has found something, and is mending it."""
        return self._review is not None and self._review.is_revising

    def hear(self, text: str) -> None:
        """Take in a chunk."""
        self._ready += self.passage.hear(text)

    def begin_window(self) -> Step[Outcome | None]:
        """A review of the sentences that are ready."""
        self._taken, self._ready = self._ready, []
        out = tuple(self.passage.sentences)
        exchange = self.exchange.streaming(self.passage.out, out, "".join(self._taken))
        return self._begin(exchange, self._setup.window, len(out) + 1).run()

    def end_window(self, outcome: Outcome | None) -> Window | Outcome | None:
        """Take over what came of that review.

        An outcome says that the sentences are blocked; None that they were handed over to the closing review.
        """
        if outcome is None:
            self.drop()
            return None
        before = len(self.passage.out)
        attempts = self._recorded()
        if outcome.blocked:
            return self._ended(outcome)
        if not self.passage.settle(self._taken, outcome.text):
            return self._ended(replace(outcome, status=Status.BLOCKED, cause=Cause.ERROR))
        self._windows += 1
        return Window(self._windows, self._first, self.passage.out[before:], attempts)

    def hand_over(self) -> None:
        """Let the review under way make its revision, and leave judging it to the closing review."""
        assert self._review is not None
        self._review.hands_over = True

    def drop(self) -> None:
        """Give up the review under way: what it was to judge, or has mended, is left to the closing review."""
        assert self._review is not None
        mended, count = self._review.mended, len(self._attempts)
        if mended is not None:
            text = self.passage.beyond(mended.draft).rstrip()
            space = "".join(self._taken)
            self._carried = replace(mended, draft=text + space[len(space.rstrip()) :], base=mended.base + count)
        found = self._recorded()
        if found and (mended is None or mended.count < len(found)):  # found in the moment that it was given up
            self._known = tuple(verdict for verdict in found[-1].verdicts if verdict.violates)

    def begin_closing(self) -> Step[Outcome | None]:
        """A review of the whole reply, which can mend what is not out yet."""
        text = self.passage.rest
        if self._carried is not None:
            text = self._carried.draft + text[len("".join(self._taken)) :]
        exchange = self.exchange.with_reply(self.passage.out + text)
        first = 1 + _begun_before(len(self.passage.out), exchange.sentences)
        silent = bool(self.calls) and not self.passage.begins
        return self._begin(exchange, self._setup.whole, first).run(self.calls, silent=silent)

    def end_closing(self, outcome: Outcome | None) -> Outcome:
        """Take over what came of that: the outcome of the stream."""
        assert outcome is not None
        self._first = 1
        self._recorded(is_last=True)
        if not outcome.blocked and not self.passage.settle(split(self.passage.rest), outcome.text, is_last=True):
            outcome = replace(outcome, status=Status.BLOCKED, cause=Cause.ERROR)
        return self._ended(outcome)

    def interrupted(self) -> Outcome:
        """The outcome of a stream that came to no end of its own."""
        if self._review is not None:
            self._recorded()
        constitution = self._setup.constitution
        return self._ended(
            Outcome(
                Status.BLOCKED,
                constitution.fallback_in(self.exchange.language),
                self.run_id,
                constitution.ref,
                "",
                cause=Cause.INTERRUPTED,
                verdicts=self._attempts[-1].verdicts if self._attempts else (),
            )
        )

    def _begin(self, exchange: Exchange, scope: Scope, first: int) -> Review:
        self._first = first
        self._review = Review(
            exchange,
            self._setup,
            self.run_id,
            scope=scope,
            spent=self._spent,
            first=first,
            rules_first=True,
            known=self._known,
        )
        return self._review

    def _recorded(self, *, is_last: bool = False) -> tuple[Attempt, ...]:
        """Take over the attempts of the review that ended; only the last one's drafts are of the whole reply."""
        assert self._review is not None
        found, self._review = tuple(self._review.attempts), None
        made = tuple(self._recounted(n, attempt, is_last) for n, attempt in enumerate(found))
        self._attempts += made
        return made

    def _recounted(self, number: int, attempt: Attempt, is_last: bool) -> Attempt:  # noqa: FBT001 - called once
        if attempt.calls:
            return attempt
        base = None if attempt.base is None else attempt.base + len(self._attempts)
        draft = attempt.draft if is_last else self.passage.beyond(attempt.draft)
        attempt = replace(attempt, draft=draft, base=base, first=self._first)
        if number or not is_last or self._carried is None:
            return attempt
        mended, made = self._carried, self._carried.made  # the first draft here is another review's revision
        return replace(attempt, edits=made.edits, append=made.append, reviser=made.reviser, base=mended.base)

    def _ended(self, outcome: Outcome) -> Outcome:
        """The outcome of the whole stream, of the outcome of its last review."""
        original, out = self.passage.heard, self.passage.out
        status, cause, text = Status.BLOCKED, outcome.cause, outcome.text
        if not outcome.blocked:
            passed = out == original
            status, cause, text = (Status.PASSED, None, out) if passed else (Status.REVISED, Cause.VIOLATION, out)
        decided = {verdict.principle for verdict in outcome.verdicts}
        asked = (*self._setup.whole.principles, *(self._setup.calls.principles if self.calls else ()))
        self.outcome = replace(
            outcome,
            status=status,
            cause=cause,
            text=text,
            original=original,
            released="".join(self.passage.emitted) if outcome.blocked else out,
            attempts=tuple(self._attempts),
            unjudged=tuple(dict.fromkeys(p.id for p in asked if p.id not in decided)),
            usage=self._spent.usage,
            elapsed=monotonic() - self._began,
        )
        return self.outcome


def _begun_before(offset: int, sentences: Sequence[str]) -> int:
    """How many sentences begin before an offset."""
    start = count = 0
    for sentence in sentences:
        if start >= offset:
            break
        start, count = start + len(sentence), count + 1
    return count
