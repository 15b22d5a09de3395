"""One run of a constitution's examples, and of labelled replies beside them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from os import PathLike
from typing import Any

from guardrails.authoring._cases import Case, cases_of
from guardrails.authoring._labelled import labelled
from guardrails.authoring._many import setup_for
from guardrails.authoring._tested import Failure, Scores, expected, failures_of, scores
from guardrails.authoring._trial import Result, Tried, try_all
from guardrails.constitution import Constitution, Expect, did_you_mean
from guardrails.errors import ConfigurationError
from guardrails.judges import RuleJudge
from guardrails.models import Model
from guardrails.outcome import ConstitutionRef, Tokens


@dataclass(frozen=True, slots=True)
class Plan:
    """How examples are run: by whom they are judged beside the rules, how often, which, and what is added to them."""

    model: Model | str | Callable[..., Any] | None = None
    runs: int = 1
    principles: tuple[str, ...] = ()
    """Only these; none means all."""
    data: str | PathLike[str] | None = None
    """A file of labelled replies; see `labelled`."""
    language: str = "en"
    jurisdiction: str | None = None


@dataclass(frozen=True, slots=True)
class Tested:
    """What came of it."""

    constitution: ConstitutionRef
    results: tuple[Result, ...]
    scores: tuple[Scores, ...]
    usage: Tokens
    """Requests to the model, and their tokens."""

    @property
    def failures(self) -> tuple[Failure, ...]:
        """Everything that is not as it should be."""
        return tuple(failure for own in self.scores for failure in own.failures)

    @property
    def silent(self) -> int:
        """Labels of which nothing was said."""
        return sum(own.silent for own in self.scores)

    @property
    def is_unable(self) -> bool:
        """Whether every judge but the rules failed all the time: it is broken, and no example is."""
        said = [run for result in self.results for run in result.runs if run.judge not in {"", RuleJudge.name}]
        return bool(said) and all(run.failed for run in said)


class Suite:
    """The tests of one constitution: each case is tried when it is asked for, and once.

    >>> suite = Suite("general")
    >>> [failure for result in suite.results(suite.cases[0]) for failure in suite.failures(result)]
    []

    Raises:
        ConstitutionError: mistakes in the constitution, or in the file of labelled replies.
        ConfigurationError: an unknown principle, or a model that cannot be used.
    """

    def __init__(self, source: str | PathLike[str], plan: Plan | None = None) -> None:
        self._plan = plan or Plan()
        self.constitution = Constitution.load(source, jurisdiction=self._plan.jurisdiction)
        self._setup = setup_for(self.constitution, self._plan.model, language=self._plan.language)
        cases = _cases(self.constitution, self._plan)
        self.cases = tuple(_wanted(cases, self._plan.principles, self.constitution))
        self._tried: dict[str, Tried] = {}

    @property
    def expecting(self) -> tuple[str, ...]:
        """The principles of which a share is expected."""
        asked = ((p.id, expected(self.constitution, p)) for p in self.constitution.principles)
        return tuple(name for name, expect in asked if expect != Expect())

    def results(self, case: Case) -> tuple[Result, ...]:
        """What is said of one case, a result for each of its labels."""
        self._try([case])
        return self._tried[case.name].results

    def failures(self, result: Result) -> list[Failure]:
        """What is wrong with one result."""
        return list(failures_of(result, self.constitution))

    def missed(self, principle: str) -> list[Failure]:
        """The expected shares that a principle does not reach."""
        about = [case for case in self.cases if any(label.principle == principle for label in case.labels)]
        self._try(about)
        results = [result for case in about for result in self._tried[case.name].results]
        own = [own for own in scores(results, self._setup) if own.principle == principle]
        return [failure for one in own for failure in one.failures if failure.result is None]

    def run(self, progress: Callable[[int, int], None] | None = None) -> Tested:
        """Try all cases; `progress` is told how many of how many are done."""
        self._try(self.cases, progress)
        every = [self._tried[case.name] for case in self.cases]
        results = tuple(result for tried in every for result in tried.results)
        spent = Tokens()
        for usage in (usage for tried in every for usage in tried.usage):
            spent += usage.judge + usage.revise
        return Tested(self.constitution.ref, results, scores(results, self._setup), spent)

    def _try(self, cases: Sequence[Case], progress: Callable[[int, int], None] | None = None) -> None:
        new = [case for case in cases if case.name not in self._tried]
        for done, (case, tried) in enumerate(zip(new, try_all(new, self._setup, self._plan.runs), strict=True), 1):
            self._tried[case.name] = tried
            if progress:
                progress(done, len(new))


def _cases(constitution: Constitution, plan: Plan) -> Iterator[Case]:
    yield from cases_of(constitution)
    if plan.data is not None:
        yield from labelled(plan.data, constitution)


def _wanted(cases: Iterable[Case], principles: Sequence[str], constitution: Constitution) -> Iterator[Case]:
    for name in principles:
        if name not in constitution.by_id:
            advice = did_you_mean(name, constitution.by_id)
            raise ConfigurationError(f"{constitution.name} has no principle {name!r}. {advice}")
    for case in cases:
        if not principles or any(label.principle in principles for label in case.labels):
            yield case
