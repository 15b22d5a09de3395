"""`write`: a trail's report, as one HTML file."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING

from guardrails import __version__
from guardrails.audit import AuditTrail, RunSummary, Verification, Where
from guardrails.errors import AuditError, ConfigurationError
from guardrails.outcome import Status
from guardrails.reports._charts import stacked
from guardrails.reports._figures import MOST_REVISIONS, Figures
from guardrails.reports._page import environment
from guardrails.reports._story import story
from guardrails.reports._words import LANGUAGES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jinja2 import Environment

_STEP = 100  # runs between two calls of a progress callback
_SUFFIXES = (".html", ".htm")


@dataclass(frozen=True, slots=True)
class Report:
    """A report that was written: how many runs it counts, how many it tells, and how many of these it cannot trust."""

    path: Path
    runs: int
    interventions: int
    untrusted: int


def write(
    trail: AuditTrail,
    path: str | os.PathLike[str],
    *,
    where: Where | None = None,
    language: str = "en",
    verification: Verification | None = None,
    progress: Callable[[int], None] | None = None,
) -> Report:
    """Write a report on the runs of a trail: figures first, then every intervention with what was changed.

    The file appears at `path` when it is complete, readable by this user alone, in the place of one that was
    there. It is read in one go, so that figures and interventions tell of the same runs; memory grows with neither.

    Args:
        trail: The trail.
        path: The file; its name ends in `.html` or `.htm`.
        where: Which runs. Default: all.
        language: `"en"` or `"ja"`.
        verification: What came of verifying the trail, for the head of the report. Default: the head says that
            it was not verified.
        progress: Called now and then with the number of runs read so far.

    Raises:
        AuditError: the trail cannot be read. A run that was altered is named in the report instead.
        ConfigurationError: another language, another kind of file, or one that cannot be written.
    """
    path = Path(path)
    if language not in LANGUAGES:
        raise ConfigurationError(f"language={language!r} is not one of {', '.join(map(repr, LANGUAGES))}.")
    # Whoever mistypes here must not lose a trail.
    if path.suffix.lower() not in _SUFFIXES:
        raise ConfigurationError(f"a report is an HTML file: name one that ends in .html, not {path.name!r}.")
    where = where or Where()
    figures, templates = Figures(language), environment(language)
    try:
        with _in_place_of(path) as out, tempfile.TemporaryFile("w+", encoding="utf-8", dir=path.parent) as told:
            made = _read(trail, where, figures, _Teller(templates, told, language), progress)
            head = {"trail": trail.url, "where": where, "verification": verification, "made": datetime.now(UTC)}
            out.writelines(_head(templates, figures, **head))
            told.seek(0)
            shutil.copyfileobj(told, out)
            out.write(templates.get_template("foot.html.j2").render(interventions=made.told))
    except OSError as error:
        raise ConfigurationError(
            f"the report cannot be written to {path}: {error.strerror or error}. Name a file in a folder that exists,"
            " that this user may write to, and that has room."
        ) from error
    return Report(path, figures.runs, made.told, made.untrusted)


class _Teller:
    """Tells runs one by one, into a file."""

    def __init__(self, templates: Environment, out: IO[str], language: str) -> None:
        self._run, self._untrusted = (templates.get_template(f"{name}.html.j2") for name in ("run", "untrusted"))
        self._out = out
        self._language = language
        self.told = 0
        self.untrusted = 0

    def tell(self, trail: AuditTrail, run: RunSummary, figures: Figures) -> None:
        """Tell a run as its record has it, or that its record was altered."""
        self.told += 1
        try:
            stored = trail.run(run.run_id)
        except AuditError as error:
            self.untrusted += 1
            figures.notes["untrusted"] += 1
            self._out.writelines(self._untrusted.generate(run=run, problem=str(error)))
            return
        figures.told(stored)
        self._out.writelines(self._run.generate(story=story(stored, self._language)))


def _read(
    trail: AuditTrail, where: Where, figures: Figures, teller: _Teller, progress: Callable[[int], None] | None
) -> _Teller:
    decided = {act.run for act in trail.acts() if act.kind == "decision"}
    for run in trail.runs(where=where):
        figures.add(run, trail.wording(run.constitution.digest))
        if run.status is not Status.PASSED or run.undecided or run.run_id in decided:
            teller.tell(trail, run, figures)
        if progress and figures.runs % _STEP == 0:
            progress(figures.runs)
    if progress:
        progress(figures.runs)
    return teller


def _head(templates: Environment, figures: Figures, **facts: object) -> Iterator[str]:
    periods = list(figures.timeline.periods())
    charts = {
        "runs": stacked([(one.passed + one.revised + one.blocked,) for one in periods], ["run"]),
        "interventions": stacked([(one.revised, one.blocked) for one in periods], ["revised", "blocked"]),
    }
    return templates.get_template("head.html.j2").generate(
        figures=figures,
        periods=periods,
        charts=charts,
        most_revisions=MOST_REVISIONS,
        statuses=tuple(Status),
        version=__version__,
        **facts,
    )


@contextmanager
def _in_place_of(path: Path) -> Iterator[IO[str]]:
    """A new file that takes the place of another when it is complete, and leaves nothing when it is not."""
    handle, name = tempfile.mkstemp(suffix=".part", prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as out:
            yield out
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
