"""One run of a constitution's examples, and of labelled replies beside them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from typing import Any

from guardrails.authoring._cases import Case, cases_of
from guardrails.authoring._labelled import labelled
from guardrails.authoring._many import setup_for
from guardrails.authoring._tested import Failure, Scores, expected, failures_of, scores
from guardrails.authoring._trial import Result, Tried, try_all
from guardrails.constitution import Constitution, Expect, did_you_mean
from guardrails.errors import ConfigurationError, ConstitutionError, Problem
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
    unable: str = ""
    """Why the judges beside the rules failed all the time; empty where they did not."""

    @property
    def failures(self) -> tuple[Failure, ...]:
        """Everything that is not as it should be."""
        return tuple(failure for own in self.scores for failure in own.failures)

    @property
    def silent(self) -> int:
        """Labels of which nothing was said."""
        return sum(own.silent for own in self.scores)


class Suite:
    """The tests of one constitution: each case is tried when it is asked for, and once.

    >>> suite = Suite("general")
    >>> [failure for result in suite.results(suite.cases[0]) for failure in suite.failures(result)]
    []

    Raises:
        ConstitutionError: mistakes in the constitution, or in the file of labelled replies.
        ConfigurationError: a model that cannot be used.
    """

    def __init__(self, source: str | PathLike[str], plan: Plan | None = None) -> None:
        self._plan = plan or Plan()
        self.constitution = Constitution.load(source, jurisdiction=self._plan.jurisdiction)
        self._setup = setup_for(self.constitution, self._plan.model, language=self._plan.language)
        self.labelled = () if self._plan.data is None else labelled(self._plan.data, self.constitution)
        every = (*cases_of(self.constitution), *self.labelled)
        self.cases = tuple(_wanted(every, self._plan.principles))
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
        told = [tried.unable for tried in every if tried.unable is not None]
        unable = told[0] if told and all(told) else ""
        return Tested(self.constitution.ref, results, scores(results, self._setup), spent, unable)

    def _try(self, cases: Sequence[Case], progress: Callable[[int, int], None] | None = None) -> None:
        new = [case for case in cases if case.name not in self._tried]
        for done, (case, tried) in enumerate(zip(new, try_all(new, self._setup, self._plan.runs), strict=True), 1):
            self._tried[case.name] = tried
            if progress:
                progress(done, len(new))


def suites(sources: Iterable[str | PathLike[str]], plan: Plan) -> list[Suite]:
    """The tests of several constitutions, all of them loaded before any is tried.

    Raises:
        ConstitutionError: mistakes in any of them, or in the file of labelled replies, all at once.
        ConfigurationError: a principle that none of them has, labelled replies that are about none of them.
    """
    found: list[Suite] = []
    problems: list[Problem] = []
    for source in sources:
        try:
            found.append(Suite(source, plan))
        except ConstitutionError as error:
            problems += error.problems
    if problems:
        raise ConstitutionError(list(dict.fromkeys(problems)))
    known = [name for suite in found for name in suite.constitution.by_id]
    names = ", ".join(suite.constitution.name for suite in found)
    for name in plan.principles:
        if name not in known:
            raise ConfigurationError(f"{names} has no principle {name!r}. {did_you_mean(name, known)}")
    if plan.data is not None and not any(suite.labelled for suite in found):
        raise ConfigurationError(f"{plan.data}: no line is about a principle of {names}.")
    return [suite for suite in found if suite.cases or len(found) == 1]


def _wanted(cases: Iterable[Case], principles: Sequence[str]) -> Iterator[Case]:
    for case in cases:
        labels = tuple(label for label in case.labels if not principles or label.principle in principles)
        if labels:
            yield replace(case, labels=labels)
