"""`backtest`: recorded replies judged once more, under a draft of a constitution, and what would be different."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from guardrails._budget import Budget, Spent
from guardrails._review import Review
from guardrails._setup import Scope, Setup
from guardrails.audit import AuditTrail, StoredRun, Where
from guardrails.authoring._backtest_budget import Allowance
from guardrails.authoring._backtest_changes import changes
from guardrails.authoring._backtest_choice import Choice, Reason
from guardrails.authoring._backtest_judgement import Judgement, Ruling, found_now, found_then, is_cut
from guardrails.authoring._backtest_tally import Compared, Judged, Tally
from guardrails.authoring._many import in_order, setup_for
from guardrails.authoring._scores import Share
from guardrails.constitution import Constitution
from guardrails.errors import ConfigurationError
from guardrails.exchange import Exchange
from guardrails.models import Model, Step, model_from
from guardrails.outcome import ConstitutionRef, Tokens
from guardrails.verdict import Verdict

SEED = 1
EXAMPLES = 20
_BEGINNING = 8  # digits of a digest, as many as `guardrails diff` asks for
_STEP = 100  # replies between two calls of a progress callback
_LONGEST = 60.0  # seconds that one reply may take, as in a guard
_UNLIMITED = Budget(seconds=None)


@dataclass(frozen=True, slots=True)
class Backtest:
    """What came of a backtest.

    `fits` counts the runs that fit, `usable` those of them with a reply to judge, `judged` those that were: a
    sample of the usable ones where one was asked for. `left_out` counts the others by reason: `erased`,
    `commitments`, `interrupted`, `no_reply`, `untrusted`, `budget`; `used_up` is what of the budget ran out.
    `newly` and `no_longer` count replies with at least one principle so. `rulings` counts replies by what became of
    each and what becomes of it now, against a record that is how it ended. `masked` counts replies that the trail
    does not have as they were. `wordings` are the constitutions that they were judged under. `failed` counts
    replies for which a check failed, and `failures` the reasons. `problem` says why not all of the trail could be
    read, empty where it could. `seconds` is wall-clock time.
    """

    constitution: ConstitutionRef
    baseline: ConstitutionRef | None
    model: str
    trail: str
    where: Where
    fits: int
    usable: int
    judged: int
    sample: int | None
    seed: int
    left_out: Mapping[Reason, int]
    used_up: str
    masked: int
    newly: int
    no_longer: int
    principles: tuple[Compared, ...]
    rulings: Mapping[tuple[Ruling, Ruling], int]
    wordings: Mapping[ConstitutionRef, int]
    first: datetime | None
    last: datetime | None
    usage: Tokens
    failed: int
    failures: Mapping[str, int]
    seconds: float
    problem: str = ""

    @property
    def is_partial(self) -> bool:
        """Whether replies that could have been judged were not, so that shares are estimates."""
        return self.judged < self.usable

    def share(self, count: int) -> Share:
        """So many of the replies that were judged, with a 95 % interval."""
        return Share(count, self.judged)

    def called(self, one: ConstitutionRef) -> str:
        """The name and version of a constitution, with the beginning of its digest where another is called alike."""
        named = {ref for ref in (self.constitution, self.baseline, *self.wordings) if ref}
        alike = [ref for ref in named if (ref.name, ref.version) == (one.name, one.version)]
        return f"{one.name} {one.version}" + (f" {one.digest[:_BEGINNING]}" if len(alike) > 1 else "")

    @property
    def newly_stopped(self) -> int:
        """Replies that were released, revised or not, and would be stopped."""
        return self._ruled(("release", "block"), ("revise", "block"))

    @property
    def newly_revised(self) -> int:
        """Replies that were released as they were, and would have to be revised."""
        return self._ruled(("release", "revise"))

    @property
    def newly_released(self) -> int:
        """Replies that were revised or stopped, and would be released as they were."""
        return self._ruled(("revise", "release"), ("block", "release"))

    @property
    def unknown(self) -> int:
        """Replies of which that cannot be told: what kept them back was not asked again, or a check failed."""
        return sum(count for pair, count in self.rulings.items() if "unknown" in pair)

    def _ruled(self, *pairs: tuple[Ruling, Ruling]) -> int:
        return sum(self.rulings.get(pair, 0) for pair in pairs)


def backtest(
    trail: AuditTrail,
    constitution: Constitution,
    *,
    where: Where | None = None,
    limit: int | None = None,
    sample: int | None = None,
    seed: int = SEED,
    model: Model | str | Callable[..., Any] | None = None,
    baseline: Constitution | None = None,
    budget: Budget | None = None,
    examples: int = EXAMPLES,
    language: str = "en",
    progress: Callable[[int], None] | None = None,
) -> Backtest:
    """Judge recorded replies under a constitution, and compare with what was found when they were recorded.

    What is judged is each reply as the application gave it, with its conversation and context; nothing is revised,
    and nothing is written. Memory does not grow with the trail.

    Args:
        trail: The trail; it is only read.
        constitution: The draft.
        where: Which runs. Default: all.
        limit: So many of them, the newest. Default: all.
        sample: So many of those, drawn uniformly. Default: all.
        seed: Draws another sample.
        model: Judges besides the rules, as in a guard. Default: the rules alone.
        baseline: Judge each reply under this constitution, too, with the same judges, and compare with that instead of
            the record: differences are then the wording's, and not the model's of another day.
        budget: What all reviews together may spend: `seconds`, `calls`, `tokens`. Default: no limit.
        examples: How many replies are kept of each principle and kind of change.
        language: Of the principles' titles.
        progress: Called now and then with the number of replies judged so far.

    Raises:
        AuditError: there is no trail, or nothing of it can be read.
        ConfigurationError: nothing could judge: a constitution without checks, and no model.
    """
    next(trail.records(), None)  # what is not there, or cannot be read at all, has no backtest
    made = None if model is None else model_from(model)
    new, old = setup_for(constitution, made), setup_for(baseline, made) if baseline else None
    for setup in filter(None, (new, old)):
        _check(setup)
    where, allowance = where or Where(), Allowance(budget or _UNLIMITED)
    choice = Choice(trail, where, limit, sample, seed)
    tally = Tally(constitution, baseline, examples, language)
    limits = (_LONGEST, budget.seconds if budget and budget.seconds is not None else _LONGEST)
    looked_at = {cut: _looked_at(_scope(new, cut=cut)) for cut in (False, True)}
    steps = (allowance.metered(_compared(stored, new, old, looked_at)) for stored in _chosen(choice, allowance))
    for judged in in_order(steps, seconds=min(limits)):
        if judged is None:
            choice.left_out["budget"] += 1
            continue
        tally.add(judged)
        if progress and tally.judged % _STEP == 0:
            progress(tally.judged)
    return Backtest(
        constitution=constitution.ref,
        baseline=baseline.ref if baseline else None,
        model=made.name if made else "",
        trail=trail.url,
        where=where,
        fits=choice.fits,
        usable=choice.usable,
        judged=tally.judged,
        sample=sample,
        seed=seed,
        left_out=dict(choice.left_out),
        used_up=allowance.used_up if choice.left_out["budget"] else "",
        masked=tally.masked,
        newly=tally.newly,
        no_longer=tally.no_longer,
        principles=tally.compared(),
        rulings=dict(tally.rulings),
        wordings=dict(tally.wordings.most_common()),
        first=tally.first,
        last=tally.last,
        usage=allowance.usage,
        failed=tally.failed,
        failures=dict(tally.failures.most_common()),
        seconds=allowance.seconds,
        problem=choice.problem,
    )


def _check(setup: Setup) -> None:
    if not setup.whole.covers_any():
        name = setup.constitution.name
        raise ConfigurationError(
            f"{name} has no checks that look at replies, and nothing else judges: add --model provider:model-id."
        )


def _chosen(choice: Choice, allowance: Allowance) -> Iterator[StoredRun]:
    """The runs with their texts, until the budget is used up; the rest is counted."""
    for run in choice:
        if allowance.used_up:
            choice.left_out["budget"] += 1
        elif stored := choice.read(run):
            yield stored


def _compared(
    stored: StoredRun, new: Setup, old: Setup | None, looked_at: Mapping[bool, frozenset[str]]
) -> Step[Judged]:
    """Judge one reply, and compare."""
    exchange, cut = stored.run.exchange, is_cut(stored.run.outcome)
    now = yield from _found(exchange, new, cut=cut)
    then = found_then(stored) if old is None else (yield from _found(exchange, old, cut=cut))
    masked = any(path == "original" or path.startswith(("messages/", "context/")) for path in stored.masked)
    found = changes(then, now, looked_at[cut], masked=masked and old is None)
    return Judged(stored, then, now, tuple(found), masked)


def _found(exchange: Exchange, setup: Setup, *, cut: bool) -> Step[Judgement]:
    spent = Spent(setup.budget)
    review = Review(exchange, setup, "", scope=_scope(setup, cut=cut), spent=spent)
    verdicts: tuple[Verdict, ...] = yield from review.judge()
    return found_now(setup.constitution, verdicts)


def _scope(setup: Setup, *, cut: bool) -> Scope:
    """What a whole reply is judged by; of one that was cut, what some of its sentences are."""
    return setup.window if cut else setup.whole


def _looked_at(scope: Scope) -> frozenset[str]:
    return frozenset(p.id for p in scope.principles if p.checks or scope.panel.covers(p))
