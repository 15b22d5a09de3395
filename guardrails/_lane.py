"""One alternative of a streamed reply: what was heard of it, what was judged, and what came of that. No I/O."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace
from operator import attrgetter
from time import monotonic

from guardrails._budget import Spent
from guardrails._review import Review
from guardrails._setup import Scope, Setup
from guardrails.exchange import Exchange
from guardrails.models import Step
from guardrails.outcome import Attempt, Cause, Outcome, Status
from guardrails.revisers import Revision
from guardrails.sentences import Splitter, changes, split


@dataclass(frozen=True, slots=True)
class Piece:
    """A span of what was heard, and the text that stands there instead. An empty span is a place."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Window:
    """Some sentences that were judged and may go out: number `first` is the first of them."""

    number: int
    first: int
    released: str
    attempts: tuple[Attempt, ...]


class Lane:
    """The text of one alternative, from the first chunk to its outcome."""

    def __init__(self, exchange: Exchange, setup: Setup, run_id: str) -> None:
        self.exchange = exchange
        self.run_id = run_id
        self.settled = 0
        """How many characters of what was heard are judged, and may go out."""
        self.length = 0
        """How many were heard."""
        self.out = ""
        """What came of the settled ones."""
        self.emitted: list[str] = []
        """What went out of that: an event may wait that holds the space after a sentence and the next one's word."""
        self.is_complete = False
        """Whether a stop reason was heard."""
        self.calls: tuple[str, ...] = ()
        self.outcome: Outcome | None = None
        self.spent = Spent(setup.budget)
        self._began = monotonic()
        self._setup = setup
        self._holds = setup.holds_streams
        self._splitter = Splitter()
        self._heard: list[str] = []
        self._ready: list[str] = []
        self._settled: list[str] = []
        self._pieces: list[Piece] = []
        self._attempts: list[Attempt] = []
        self._windows = 0
        self._speaks = False
        self._review: Review | None = None
        self._first = 1
        self._taken = ""
        self._carried: tuple[str, Revision, int | None] | None = None

    @property
    def heard(self) -> str:
        """The reply as the model wrote it, as far as it was heard."""
        return "".join(self._heard)

    @property
    def holds_calls(self) -> bool:
        """Whether tool calls have to wait for the end."""
        return bool(self._setup.calls.principles)

    @property
    def is_due(self) -> bool:
        """Whether there are whole sentences to be judged now."""
        return bool(self._ready) and not self._holds

    @property
    def is_revising(self) -> bool:
        """Whether the review under way has found something, and is mending it."""
        return self._review is not None and self._review.is_revising

    def hear(self, text: str) -> None:
        """Take in a chunk."""
        if not self._speaks and text.strip():
            self._speaks = True
            self._holds = self._holds or text.lstrip("\ufeff \t\r\n")[:1] in {"{", "["}  # data: it is not edited
        self.length += len(text)
        self._heard.append(text)
        self._ready += self._splitter.feed(text)

    def window(self) -> Step[Window | Outcome | None]:
        """Judge the sentences that are ready, and revise them.

        An outcome says that they are blocked; None that they were handed over to the closing judgement.
        """
        sentences, self._ready = self._ready, []
        self._taken = "".join(sentences)
        outcome = yield from self._reviewed(self._taken, self._setup.window, judged=len(self._settled))
        if outcome is None:
            self.drop()
            return None
        first, attempts = self._first, self._recorded(len(self.out))
        if outcome.blocked:
            return self._ended(outcome)
        before, self._windows = len(self.out), self._windows + 1
        if not self._settle(sentences, outcome.text):
            return self._ended(replace(outcome, status=Status.BLOCKED, cause=Cause.ERROR))
        return Window(self._windows, first, self.out[before:], attempts)

    def hand_over(self) -> None:
        """Let the review under way make its revision, and leave judging it to the closing judgement."""
        assert self._review is not None
        self._review.hands_over = True

    def drop(self) -> None:
        """Give up the review under way: what it was to judge, or has mended, is left to the closing judgement."""
        review = self._review
        assert review is not None
        if review.attempts:
            base = None if review.base is None else review.base + len(self._attempts)
            mended = review.draft.reply[len(self.out) :].rstrip() + _space(self._taken)
            self._carried = (mended, review.made, base)
        self._recorded(len(self.out))

    def closing(self) -> Step[Outcome]:
        """Judge the whole reply, and mend what is not out yet."""
        rest = text = self.heard[self.settled :]
        if self._carried is not None:
            text = self._carried[0] + rest[len(self._taken) :]
        silent = bool(self.calls) and not self._speaks
        outcome = yield from self._reviewed(text, self._setup.whole, self.calls, silent=silent)
        assert outcome is not None
        self._first = 1
        self._recorded(0)
        if not outcome.blocked and not self._settle(split(rest), outcome.text):
            outcome = replace(outcome, status=Status.BLOCKED, cause=Cause.ERROR)
        return self._ended(outcome)

    def interrupted(self, cause: Cause = Cause.INTERRUPTED) -> Outcome:
        """The outcome of a stream that came to no end of its own."""
        if self._review is not None:
            self._recorded(len(self.out))
        found = self._attempts[-1].verdicts if self._attempts else ()
        constitution = self._setup.constitution
        return self._ended(
            Outcome(
                Status.BLOCKED,
                constitution.fallback_in(self.exchange.language),
                self.run_id,
                constitution.ref,
                self.heard,
                cause=cause,
                verdicts=found,
                unjudged=() if found else tuple(p.id for p in self._setup.whole.principles),
            )
        )

    def revised(self, start: int, end: int, text: str) -> str:
        """What goes out for a settled span of what was heard, whose text this was."""
        made, at = [], start
        index = bisect_left(self._pieces, start, key=attrgetter("end"))
        for piece in self._pieces[index:]:
            if piece.start >= end:
                break
            if piece.start >= start:
                made += [text[at - start : piece.start - start], piece.text]
            elif piece.end == start:  # the span before
                continue
            at = max(at, min(piece.end, end))
        return "".join([*made, text[at - start :]])

    @property
    def appended(self) -> str:
        """What stands after all that was heard."""
        return "".join(piece.text for piece in self._pieces if piece.start == piece.end == self.length)

    def is_revised(self, start: int, end: int) -> bool:
        """Whether something within a span of what was heard was changed."""
        return any(piece.start < end and piece.end > start for piece in self._pieces)

    def _reviewed(
        self, text: str, scope: Scope, calls: Sequence[str] = (), *, judged: int = 0, silent: bool = False
    ) -> Step[Outcome | None]:
        exchange = self.exchange.streaming(self.out + text, tuple(self._settled), judged)
        self._first = len(self._settled) + 1
        self._review = Review(
            exchange, self._setup, self.run_id, scope=scope, spent=self.spent, first=self._first, rules_first=True
        )
        return (yield from self._review.run(calls, silent=silent))

    def _recorded(self, cut: int) -> tuple[Attempt, ...]:
        """Take over the attempts of the review that ended; `cut` characters of its drafts are out already."""
        assert self._review is not None
        found, self._review = self._review.attempts, None
        made = tuple(self._recounted(n, attempt, cut) for n, attempt in enumerate(found))
        self._attempts += made
        return made

    def _recounted(self, number: int, attempt: Attempt, cut: int) -> Attempt:
        if attempt.calls:
            return attempt
        base = None if attempt.base is None else attempt.base + len(self._attempts)
        attempt = replace(attempt, draft=attempt.draft[cut:], base=base, first=self._first)
        if number or cut or self._carried is None:
            return attempt
        _, made, base = self._carried  # the closing judgement's first draft is another review's revision
        return replace(attempt, edits=made.edits, append=made.append, reviser=made.reviser, base=base)

    def _settle(self, sentences: Sequence[str], text: str) -> bool:
        """Take over what came of some sentences; False where that would change what is out."""
        said = self.out.rstrip()
        if not text.startswith(said):
            return False
        rest = text[len(self.out) :] if text.startswith(self.out) else text[len(said) :].lstrip()
        pieces = _pieces(sentences, split(rest), self.settled)
        heard = "".join(sentences)
        self._pieces += pieces
        start, self.settled = self.settled, self.settled + len(heard)
        tail = "".join(piece.text for piece in pieces if piece.start == piece.end == self.settled)
        out = self.revised(start, self.settled, heard) + tail
        self.out += out
        self._settled += split(out)
        return True

    def _ended(self, outcome: Outcome) -> Outcome:
        """The outcome of the whole stream, of the outcome of its last review."""
        original = self.heard
        if outcome.blocked:
            status, cause, text = Status.BLOCKED, outcome.cause, outcome.text
        elif self.out == original:
            status, cause, text = Status.PASSED, None, self.out
        else:
            status, cause, text = Status.REVISED, Cause.VIOLATION, self.out
        self.outcome = replace(
            outcome,
            status=status,
            cause=cause,
            text=text,
            original=original,
            released="".join(self.emitted) if outcome.blocked else self.out,
            attempts=tuple(self._attempts),
            usage=self.spent.usage,
            elapsed=monotonic() - self._began,
        )
        return self.outcome


def _pieces(old: Sequence[str], new: Sequence[str], offset: int) -> list[Piece]:
    """What replaces what, sentence by sentence; of the white space at a sentence's end, the old one stays."""
    starts = [offset]
    for sentence in old:
        starts.append(starts[-1] + len(sentence))
    pieces = []
    for i1, i2, j1, j2 in changes([s.rstrip() for s in old], [s.rstrip() for s in new]):
        if i2 - i1 == j2 - j1:
            pairs = zip(range(i1, i2), range(j1, j2), strict=True)
            pieces += [Piece(starts[i], starts[i + 1], new[j].rstrip() + _space(old[i])) for i, j in pairs]
            continue
        text = "".join(new[j1:j2])
        if i1 == i2 and i1 and not _space(old[i1 - 1]):  # what is added stands apart from what it follows
            text = _space(new[j1 - 1]) + text
        if i1 < i2 and text:
            text = text.rstrip() + _space(old[i2 - 1])
        pieces.append(Piece(starts[i1], starts[i2], text))
    return pieces


def _space(sentence: str) -> str:
    return sentence[len(sentence.rstrip()) :]
