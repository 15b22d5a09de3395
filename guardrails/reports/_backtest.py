"""`write_backtest`: what came of a backtest, as one HTML file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from guardrails import __version__
from guardrails._visible import visible
from guardrails.authoring._backtest import Backtest
from guardrails.authoring._backtest_changes import Kind
from guardrails.authoring._backtest_tally import SHOWN, Compared, Instance
from guardrails.errors import ConfigurationError
from guardrails.judges import RuleJudge
from guardrails.reports._backtest_english import ENGLISH
from guardrails.reports._backtest_japanese import JAPANESE
from guardrails.reports._page import environment
from guardrails.reports._report import in_place_of
from guardrails.reports._words import LANGUAGES
from guardrails.sentences import split

BACKTEST_WORDS: Mapping[str, Mapping[str, str]] = {"en": ENGLISH, "ja": JAPANESE}
_BARS = ("still", "newly", "no_longer", "not_comparable", "undecided")  # the parts of a principle's bar, in order
_SUFFIXES = (".html", ".htm")
_LONG = 16  # sentences, beyond which those around the ones at fault are shown, and the rest on demand
_AROUND = 1


@dataclass(frozen=True, slots=True)
class Line:
    """A sentence of a reply with its number, and whether it is at fault; `after_gap` says that some were left out."""

    number: int
    text: str
    cited: bool
    after_gap: bool = False


@dataclass(frozen=True, slots=True)
class Shown:
    """A reply as the report shows it: some of its lines, and all of them where those are not all."""

    one: Instance
    lines: tuple[Line, ...]
    whole: tuple[Line, ...]


def check_file(path: str | os.PathLike[str]) -> None:
    """Refuse a file that no report can be written to, before anything is judged.

    Raises:
        ConfigurationError: another kind of file, or a folder that is not there.
    """
    path = Path(path)
    if path.suffix.lower() not in _SUFFIXES:  # whoever mistypes here must not lose a trail
        raise ConfigurationError(f"a report is an HTML file: name one that ends in .html, not {path.name!r}.")
    if not path.parent.is_dir():
        raise ConfigurationError(f"there is no folder {path.parent}: name a file in one that exists.")


def write_backtest(found: Backtest, path: str | os.PathLike[str], language: str = "en") -> None:
    """Write what came of a backtest: figures, then the replies that are judged otherwise, by principle.

    The file appears when it is complete, in the place of one that was there, readable by this user alone. It runs
    and loads nothing, whatever stands in it.

    Raises:
        ConfigurationError: another language, another kind of file, or one that cannot be written.
    """
    path = Path(path)
    if language not in LANGUAGES:
        raise ConfigurationError(f"language={language!r} is not one of {', '.join(map(repr, LANGUAGES))}.")
    check_file(path)
    made = environment(language, BACKTEST_WORDS[language])
    made.globals.update(shown=_shown, rules=RuleJudge.name, kinds=SHOWN, bars=_BARS, total=_total, plain=visible)
    pages = made.get_template("backtest.html.j2").generate(
        found=found,
        where=found.where,
        most=max(map(_total, found.principles), default=0),
        made=datetime.now(UTC),
        version=__version__,
    )
    try:
        with in_place_of(path) as out:
            out.writelines(pages)
    except OSError as error:
        raise ConfigurationError(
            f"the report cannot be written to {path}: {error.strerror or error}. Name a file in a folder that exists,"
            " that this user may write to, and that has room."
        ) from error


def _total(row: Compared) -> int:
    """How long a principle's bar is: every reply with something to say of it, once."""
    return sum(getattr(row, part) for part in _BARS)


def _shown(one: Instance) -> Shown:
    cited = {number for verdict in one.change.verdicts for number in verdict.sentences}
    if one.masked and one.change.then and one.change.kind is not Kind.UNDECIDED:
        cited = set()  # they are numbered as before masking
    whole = tuple(Line(n, text.strip(), n in cited) for n, text in enumerate(split(one.reply), 1))
    if len(whole) <= _LONG:
        return Shown(one, whole, ())
    near = {n + step for n in cited or {1} for step in range(-_AROUND, _AROUND + 1)}
    lines, last = [], 0
    for line in whole:
        if line.number in near:
            lines.append(Line(line.number, line.text, line.cited, after_gap=line.number > last + 1))
            last = line.number
    return Shown(one, tuple(lines), whole)
