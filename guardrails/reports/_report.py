"""`write`: a trail's report, as one HTML file."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Container
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING

from guardrails import __version__
from guardrails.audit import AuditTrail, RunSummary, Verification, Where
from guardrails.errors import AuditError, ConfigurationError
from guardrails.outcome import Status
from guardrails.reports._acts import Acts
from guardrails.reports._charts import stacked
from guardrails.reports._figures import MOST_REVISIONS, Figures
from guardrails.reports._page import environment
from guardrails.reports._result import Result
from guardrails.reports._story import story
from guardrails.reports._words import LANGUAGES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jinja2 import Environment

_STEP = 100  # runs between two calls of a progress callback
_SUFFIXES = (".html", ".htm")


@dataclass(frozen=True, slots=True)
class Report:
    """A report that was written: how many runs it counts, how many of them are interventions, and how many it tells.

    `untrusted` counts interventions whose records were altered. `problems` say why the report is incomplete: what of
    the trail could not be read, empty where all of it could.
    """

    path: Path
    runs: int
    interventions: int
    told: int
    untrusted: int
    problems: tuple[str, ...] = ()


def write(
    trail: AuditTrail,
    path: str | os.PathLike[str],
    *,
    where: Where | None = None,
    language: str = "en",
    verification: Verification | None = None,
    progress: Callable[[int], None] | None = None,
    limit: int | None = None,
) -> Report:
    """Write a report on the runs of a trail: figures first, then every intervention with what was changed.

    The file appears at `path` when it is complete, readable by this user alone, in the place of one that was
    there. It is read in one go, so that figures and interventions tell of the same runs; memory grows with neither.
    Where a record cannot be read, the report is of what is newer than it, and says at its top that it is incomplete.

    Args:
        trail: The trail.
        path: The file; its name ends in `.html` or `.htm`.
        where: Which runs. Default: all.
        language: `"en"` or `"ja"`.
        verification: What came of verifying the trail, for the head of the report. Default: the head says that
            it was not verified.
        progress: Called now and then with the number of runs read so far.
        limit: How many interventions to tell in full: the newest. Figures are of all in any case, and a run that was
            altered is always named. Default: all.

    Raises:
        AuditError: there is no trail, or nothing of it can be read. A run that was altered is named in the report
            instead.
        ConfigurationError: another language, another kind of file, one that cannot be written, or a limit below 0.
    """
    path = Path(path)
    if language not in LANGUAGES:
        raise ConfigurationError(f"language={language!r} is not one of {', '.join(map(repr, LANGUAGES))}.")
    # Whoever mistypes here must not lose a trail.
    if path.suffix.lower() not in _SUFFIXES:
        raise ConfigurationError(f"a report is an HTML file: name one that ends in .html, not {path.name!r}.")
    if limit is not None and limit < 0:
        raise ConfigurationError(f"limit={limit}: a report tells 0 interventions or more; None tells all.")
    next(trail.records(), None)  # what is not there, or cannot be read at all, has no report
    where = where or Where()
    figures, templates, acts = Figures(language), environment(language), Acts(trail, where)
    try:
        with in_place_of(path) as out, tempfile.TemporaryFile("w+", encoding="utf-8", dir=path.parent) as told:
            teller = _Teller(templates, told, language, acts.decided, limit)
            problem = _read(trail, where, figures, teller, progress)
            head = {"trail": trail.url, "where": where, "verification": verification, "made": datetime.now(UTC)}
            problems = {"incomplete_runs": problem, "incomplete_acts": acts.problem}
            out.writelines(_head(templates, figures, problems=problems, acts=acts, teller=teller, **head))
            told.seek(0)
            shutil.copyfileobj(told, out)
            out.write(templates.get_template("foot.html.j2").render(teller=teller))
    except OSError as error:
        raise ConfigurationError(
            f"the report cannot be written to {path}: {error.strerror or error}. Name a file in a folder that exists,"
            " that this user may write to, and that has room."
        ) from error
    found = tuple(filter(None, problems.values()))
    return Report(path, figures.runs, teller.interventions, teller.told, teller.untrusted, found)


class _Teller:
    """Tells runs one by one, into a file: so many of them in full, and those that were altered by name."""

    def __init__(
        self, templates: Environment, out: IO[str], language: str, decided: Container[str], limit: int | None
    ) -> None:
        self._run, self._untrusted = (templates.get_template(f"{name}.html.j2") for name in ("run", "untrusted"))
        self._out = out
        self._language = language
        self._decided = decided
        self._limit = limit
        self.interventions = 0
        self.told = 0
        self.untrusted = 0

    @property
    def left_out(self) -> int:
        """How many interventions are counted and not told."""
        return self.interventions - self.told - self.untrusted

    def tells(self, run: RunSummary) -> bool:
        """Whether a run is an intervention, or one that a person decided on."""
        is_open = bool(run.undecided) or "on_error" in run.unsafe
        return run.status is not Status.PASSED or is_open or run.run_id in self._decided

    def tell(self, trail: AuditTrail, run: RunSummary, figures: Figures) -> None:
        """Tell a run as its record has it, or that its record was altered."""
        self.interventions += 1
        try:
            stored = trail.run(run.run_id)
        except AuditError as error:
            self.untrusted += 1
            figures.notes["untrusted"] += 1
            self._out.writelines(self._untrusted.generate(run=run, problem=str(error)))
            return
        in_full = self._limit is None or self.told < self._limit
        figures.told(stored, linked=in_full)
        if in_full:
            self.told += 1
            self._out.writelines(self._run.generate(story=story(stored, self._language)))


def _read(
    trail: AuditTrail,
    where: Where,
    figures: Figures,
    teller: _Teller,
    progress: Callable[[int], None] | None,
) -> str:
    """Count the runs and tell the interventions; returns why not all could be read, empty where they could."""
    problem = ""
    try:
        for run in trail.runs(where=where):
            figures.add(run, trail.wording(run.constitution.digest))
            if teller.tells(run):
                teller.tell(trail, run, figures)
            if progress and figures.runs % _STEP == 0:
                progress(figures.runs)
    except AuditError as error:
        problem = str(error)
    if progress:
        progress(figures.runs)
    return problem


def _head(templates: Environment, figures: Figures, **facts: object) -> Iterator[str]:
    periods = list(figures.timeline.periods())
    changed = [kind for kind in figures.kinds if kind is not Result.PASSED]
    charts = {
        "runs": stacked([(sum(period.results.values()),) for period in periods], ["run"]),
        "interventions": stacked([[period.results[kind] for kind in changed] for period in periods], changed),
    }
    return templates.get_template("head.html.j2").generate(
        figures=figures,
        periods=periods,
        charts=charts,
        most_revisions=MOST_REVISIONS,
        changed=changed,
        version=__version__,
        **facts,
    )


@contextmanager
def in_place_of(path: Path) -> Iterator[IO[str]]:
    """A new file that takes the place of another when it is complete, and leaves nothing when it is not."""
    handle, name = tempfile.mkstemp(suffix=".part", prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as out:
            yield out
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
