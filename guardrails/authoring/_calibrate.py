"""Which confidence of a judge counts: thresholds chosen from labelled replies, and tried on others."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import ceil
from os import PathLike
from typing import Any

from guardrails._setup import Setup
from guardrails.authoring._cases import Case, cases_of
from guardrails.authoring._labelled import labelled
from guardrails.authoring._many import in_order, judged, setup_for
from guardrails.authoring._scores import Share
from guardrails.authoring._trial import only_calls, unable
from guardrails.constitution import Constitution, Principle
from guardrails.errors import ConfigurationError, ModelError
from guardrails.judges import RuleJudge
from guardrails.models import Model, Step
from guardrails.outcome import Tokens
from guardrails.verdict import Decision, Verdict

MOST = 100
"""The highest confidence, and so the highest threshold."""


@dataclass(frozen=True, slots=True)
class Scored:
    """A labelled reply, and how sure the judge is that it violates: -1 where it names no violation."""

    text: str
    """The reply with its question and context: the same one twice is in one part."""
    violates: bool
    confidence: int


@dataclass(frozen=True, slots=True)
class Rates:
    """What a threshold leads to: of what violates, the share found; of what complies, the share found wrongly."""

    threshold: int
    recall: Share
    false_alarms: Share


@dataclass(frozen=True, slots=True)
class Calibration:
    """The threshold for one principle.

    `chosen` is None where no threshold keeps false alarms down to what was wanted, or there is nothing to choose
    from. It was chosen on one part of the replies; `held_out` and `before` (at the threshold `now`) are of the
    other part, which had no say. The curves have a point for each threshold from 1 to 100. `undecided` replies
    were left out: nobody was sure of anything.
    """

    principle: str
    file: str
    now: int
    chosen: int | None
    held_out: Rates
    before: Rates
    curve: tuple[Rates, ...]
    held_out_curve: tuple[Rates, ...]
    undecided: int = 0


@dataclass(frozen=True, slots=True)
class Calibrated:
    """The thresholds for a constitution's principles, and what asking cost."""

    principles: tuple[Calibration, ...]
    usage: Tokens


def calibrate(
    source: str | PathLike[str],
    model: Model | str | Callable[..., Any],
    *,
    data: str | PathLike[str] | None = None,
    false_alarms: float = 0.05,
    held_out: float = 0.3,
    seed: str = "1",
    language: str = "en",
    progress: Callable[[int, int], None] | None = None,
) -> Calibrated:
    """Judge the examples, and labelled replies of your own, and choose each principle's threshold.

    Of the thresholds that find at most `false_alarms` (a share) of the complying replies, those that find most of
    the violating ones are best; of these the middle one is chosen, which is farthest from the replies on either
    side. A part of the replies, `held_out` (a share) of each side, drawn by `seed`, is kept back for the report.

    The rules are left out: they have no confidence to choose from.

    Raises:
        ConfigurationError: shares that are none.
        ModelError: the model never answered.
        ConstitutionError: mistakes in the constitution or in the file of labelled replies.
    """
    for name, share in (("false_alarms", false_alarms), ("held_out", held_out)):
        if not 0 <= share < 1:
            raise ConfigurationError(f"{name}={share} is not a share from 0 to 1: write 0.05 for 5 %.")
    constitution = Constitution.load(source)
    setup = setup_for(constitution, model, language=language)
    own = labelled(data, constitution) if data is not None else ()
    if data is not None and not own:
        raise ConfigurationError(f"{data}: no line is about a principle of {constitution.name}.")
    cases = [*cases_of(constitution), *own]
    scored: dict[str, list[Scored]] = {}
    undecided: dict[str, int] = {}
    told: list[str | None] = []
    spent = Tokens()
    steps = (_judged(case, setup) for case in cases)
    for done, (case, verdicts, cost) in enumerate(in_order(steps, seconds=setup.budget.seconds), 1):
        spent += cost
        told.append(unable(verdicts))
        for label in case.labels:
            confidence = _confidence(verdicts, label.principle)
            if confidence is None:
                undecided[label.principle] = undecided.get(label.principle, 0) + 1
            else:
                scored.setdefault(label.principle, []).append(Scored(_text(case), label.violates, confidence))
        if progress:
            progress(done, len(cases))
    if told and all(told):
        raise ModelError(f"the model answered nothing: {told[0]}")
    files = {case.labels[0].principle: case.file for case in reversed(cases) if len(case.labels) == 1}
    chosen = (
        _calibration(
            principle,
            scored.get(principle.id, []),
            undecided=undecided.get(principle.id, 0),
            file=files.get(principle.id, ""),
            false_alarms=false_alarms,
            held_out=held_out,
            seed=seed,
        )
        for principle in constitution.principles
        if principle.id in scored or principle.id in undecided
    )
    return Calibrated(tuple(chosen), spent)


def curve(scored: Sequence[Scored]) -> tuple[Rates, ...]:
    """What each threshold from 1 to 100 leads to.

    >>> both = [Scored("a", True, 90), Scored("b", False, 60)]
    >>> [point.threshold for point in curve(both) if point.recall.value == 1 and point.false_alarms.value == 0][::29]
    [61, 90]
    """
    return tuple(rates(scored, threshold) for threshold in range(1, MOST + 1))


def rates(scored: Iterable[Scored], threshold: int) -> Rates:
    """What one threshold leads to."""
    found = {True: [0, 0], False: [0, 0]}
    for one in scored:
        found[one.violates][0] += one.confidence >= threshold
        found[one.violates][1] += 1
    return Rates(threshold, Share(*found[True]), Share(*found[False]))


def best(points: Sequence[Rates], false_alarms: float) -> int | None:
    """The threshold to choose from a curve; None where there is none, or one side has no replies."""
    fit = [p for p in points if p.false_alarms.value is not None and p.false_alarms.value <= false_alarms]
    if not fit or not fit[0].recall.of:
        return None
    most = max(point.recall.count for point in fit)
    if not most:
        return None
    same = [p for p in fit if p.recall.count == most]
    fewest = min(point.false_alarms.count for point in same)
    alike = [point.threshold for point in same if point.false_alarms.count == fewest]
    return alike[len(alike) // 2]


def parts(scored: Sequence[Scored], held_out: float, seed: str) -> tuple[list[Scored], list[Scored]]:
    """The replies to choose by, and those kept back: of each side the same share, the same ones each time."""
    kept: list[Scored] = []
    for violates in (True, False):
        side = sorted((one for one in scored if one.violates is violates), key=lambda one: _lot(one, seed))
        texts = list(dict.fromkeys(one.text for one in side))
        back = set(texts[: min(len(texts) - 1, ceil(len(texts) * held_out))])
        kept += [one for one in side if one.text in back]
    names = {id(one) for one in kept}
    return [one for one in scored if id(one) not in names], kept


def _lot(one: Scored, seed: str) -> bytes:
    return hashlib.sha256(f"{seed}\n{one.text}".encode("utf-8", "backslashreplace")).digest()


def _calibration(
    principle: Principle,
    scored: Sequence[Scored],
    *,
    undecided: int,
    file: str,
    false_alarms: float,
    held_out: float,
    seed: str,
) -> Calibration:
    fitting, kept = parts(scored, held_out, seed)
    points = curve(fitting)
    chosen = best(points, false_alarms)
    return Calibration(
        principle.id,
        file,
        principle.threshold,
        chosen,
        rates(kept, chosen or principle.threshold),
        rates(kept, principle.threshold),
        points,
        curve(kept),
        undecided,
    )


def _judged(case: Case, setup: Setup) -> Step[tuple[Case, tuple[Verdict, ...], Tokens]]:
    verdicts, usage = yield from judged(case.exchange, setup, setup.calls if only_calls(case, setup) else None)
    return case, verdicts, usage.judge


def _text(case: Case) -> str:
    exchange = case.exchange
    return "\n".join([exchange.reply, *(message.content for message in exchange.messages), *exchange.context])


def _confidence(verdicts: Iterable[Verdict], principle: str) -> int | None:
    """How sure the judges are of a violation; None where one of them could not tell.

    A violation of which a judge does not say how sure it is counts at any threshold.
    """
    own = [v for v in verdicts if v.principle == principle and v.judge != RuleJudge.name]
    if not own or any(verdict.decision is Decision.UNDECIDED for verdict in own):
        return None
    return max(_sure(verdict) for verdict in own)


def _sure(verdict: Verdict) -> int:
    if verdict.confidence is not None:
        return verdict.confidence
    return MOST if verdict.violates else -1
