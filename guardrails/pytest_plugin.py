"""The pytest plugin: a constitution's examples are collected as tests, each with an id that people can read.

`pytest constitutions/` is a domain team's whole CI. A principle's file gives one item for each of its examples,
`principles/fees.yaml::violates 1: We'll waive that overdraft fee.`, and `constitution.yaml` one for each expected
share of recall, precision and the like. With `--guardrails-model provider:model-id` a model judges, too; without,
the rules alone, and a breach that they are silent about is skipped.

pytest loads this module through its entry point; it imports nothing else before a constitution is collected.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from guardrails.authoring._cases import Case
    from guardrails.authoring._run import Suite
    from guardrails.authoring._tested import Failure

_KEPT = pytest.StashKey[dict[Path, "Kept"]]()
_LONGEST = 60


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options of the command `pytest`."""
    group = parser.getgroup("guardrails", "examples of constitutions")
    group.addoption("--guardrails-model", metavar="PROVIDER:MODEL", help="A model that judges the examples, too.")
    group.addoption("--guardrails-runs", type=_count, default=1, help="Judge each example so often. Default: once.")


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect the files of constitutions, and no other YAML."""
    if file_path.suffix != ".yaml":
        return None
    from guardrails.authoring._found import constitution_of, looks_like_one

    root = constitution_of(file_path)
    if root is None or not looks_like_one(root):
        return None
    collected: pytest.Collector = ConstitutionYaml.from_parent(parent, path=file_path, root=root)
    return collected


class ConstitutionYaml(pytest.File):
    """One file of a constitution: its examples, and for the main file what is expected of all."""

    def __init__(self, root: Path, **options: Any) -> None:
        super().__init__(**options)
        self.root = root

    def collect(self) -> Iterable[pytest.Item]:
        """An item for each example that stands in this file."""
        kept, main = self._kept(), _main(self.root)
        is_main = self.path.resolve() == main
        if kept.suite is None:
            # Told in full once: at the main file, where it stands or falls.
            raise self.CollectError(kept.error if is_main else f"the constitution {self.root} cannot be loaded.")
        cases = kept.cases.get(self.path.resolve(), [])
        if is_main:  # what it takes over from others is tried as it is here
            others = (file for file in kept.cases if file != main and not file.is_relative_to(main.parent))
            cases = [*cases, *(case for file in others for case in kept.cases[file])]
        for case in cases:
            yield SaidItem.from_parent(self, name=_name(case, whole=is_main), case=case, suite=kept.suite)
        for principle in kept.suite.expecting if is_main else ():
            yield ExpectItem.from_parent(self, name=f"expect: {principle}", principle=principle, suite=kept.suite)

    def _kept(self) -> Kept:
        """The constitution's tests, loaded once for all of its files."""
        every = self.config.stash.setdefault(_KEPT, {})
        if self.root not in every:
            model, runs = (self.config.getoption(f"--guardrails-{name}") for name in ("model", "runs"))
            every[self.root] = _loaded(self.root, model, runs)
        return every[self.root]


class _Item(pytest.Item):
    """What is common to both kinds of item: how a failure is told."""

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """What was said of which example, without a traceback."""
        if isinstance(excinfo.value, _WrongError):
            return "\n".join(_told(failure) for failure in excinfo.value.failures)
        return super().repr_failure(excinfo, style)


class SaidItem(_Item):
    """What is said of one example, as a test item."""

    def __init__(self, case: Case, suite: Suite, **options: Any) -> None:
        super().__init__(**options)
        self.case = case
        self.suite = suite

    def runtest(self) -> None:
        """Fail where what is said is not the label; a breach that the rules alone do not find is skipped."""
        results = self.suite.results(self.case)
        failures = [failure for result in results for failure in self.suite.failures(result)]
        if failures:
            raise _WrongError(failures)
        if any(result.label.violates and result.right is None for result in results):
            pytest.skip("not judged: the rules are silent")

    def reportinfo(self) -> tuple[Path, int, str]:
        """Where the example stands."""
        # pytest takes a full stop here for the end of a module's name.
        return self.path, max(self.case.line - 1, 0), self.name.replace(".", "")


class ExpectItem(_Item):
    """The shares that a principle is expected to reach, as a test item."""

    def __init__(self, principle: str, suite: Suite, **options: Any) -> None:
        super().__init__(**options)
        self.principle = principle
        self.suite = suite

    def runtest(self) -> None:
        """Fail where a share is not reached."""
        missed = self.suite.missed(self.principle)
        if missed:
            raise _WrongError(missed)

    def reportinfo(self) -> tuple[Path, int, str]:
        """The constitution's file."""
        return self.path, 0, self.name


@dataclass(frozen=True)
class Kept:
    """The tests of one constitution, by the file that they stand in; or why it cannot be loaded."""

    suite: Suite | None
    cases: Mapping[Path, list[Case]]
    error: str = ""


def _loaded(root: Path, model: str | None, runs: int) -> Kept:
    from guardrails.authoring._run import Plan, Suite
    from guardrails.errors import ConfigurationError

    try:
        suite = Suite(root, Plan(model, runs))
    except ConfigurationError as error:
        return Kept(None, {}, str(error))
    files = {file: Path(file).resolve() for file in {case.file for case in suite.cases}}
    cases: dict[Path, list[Case]] = {}
    for case in suite.cases:
        cases.setdefault(files[case.file], []).append(case)
    return Kept(suite, cases)


def _count(text: str) -> int:
    count = int(text)
    if count < 1:
        raise ValueError(text)
    return count


class _WrongError(Exception):
    def __init__(self, failures: Sequence[Failure]) -> None:
        self.failures = failures
        super().__init__("; ".join(failure.what for failure in failures))


def _main(root: Path) -> Path:
    return (root / "constitution.yaml" if root.is_dir() else root).resolve()


def _name(case: Case, *, whole: bool) -> str:
    """An id that people can read; in a file of several principles it begins with the principle's."""
    from guardrails._visible import visible

    line = " ".join(visible(case.exchange.reply).replace("::", ":").split())  # pytest divides ids there
    short = line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"
    return f"{case.name if whole else case.name.partition(' ')[2]}: {short}"


def _told(failure: Failure) -> str:
    from guardrails._visible import visible

    result = failure.result
    if result is None:
        return f"{failure.principle}: {failure.what}"
    lines = [f"{failure.principle}: {failure.what}", f"  reply     {result.case.exchange.reply}"]
    if result.said.critique:
        lines.append(f"  {result.said.judge}  {result.said.critique}")
    if result.revised is not None and failure.what in result.faults:
        lines += [f"  expected  {result.case.revised}", f"  made      {result.revised}"]
    return visible("\n".join(lines))
