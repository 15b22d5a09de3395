"""`guardrails test --watch`: again whenever a file is saved, and only what changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from rich.console import Console

from guardrails._visible import visible
from guardrails.authoring._found import constitutions_in
from guardrails.authoring._run import Plan, Tested, suites
from guardrails.authoring._tested import Failure
from guardrails.cli._print import console
from guardrails.cli._tested import summary, tell, tell_failures
from guardrails.constitution import Constitution, shipped, sources_of
from guardrails.errors import ConfigurationError, ConstitutionError

Key = tuple[str, str, str]
_LOOK = 200
"""Milliseconds after which an unchanged folder is looked at again."""


def watched(paths: Sequence[str], plan: Plan) -> None:
    """Test, and test again whenever a file below these paths is saved, until Ctrl-C.

    Raises:
        ConfigurationError: the extra `watch` is missing, or a path is a shipped name.
    """
    try:
        from watchfiles import watch
    except ImportError:
        raise ConfigurationError("--watch needs: pip install 'constitutional-guardrails[watch]'") from None
    names = [path for path in paths if path in shipped()]
    if names:
        raise ConfigurationError(f"{names[0]} comes with the library, and nobody saves its files: give your own path.")
    places = set(_places(paths, plan))
    out, begun = console(), False
    before: dict[str, Tested] = {}
    # The first look finds nothing, and by then it watches: what is saved during the first run is not missed.
    for changes in watch(
        *places, watch_filter=_is_ours, raise_interrupt=False, yield_on_timeout=True, rust_timeout=_LOOK
    ):
        if changes or not begun:
            _again(out, paths, plan, before)
            begun = True


def _places(paths: Sequence[str], plan: Plan) -> Iterator[Path]:
    """The folders to watch: editors save a file by putting another one in its place.

    Those that a constitution extends are among them, as far as it can be loaded now.
    """
    for path in [*map(Path, paths), *([Path(plan.data)] if plan.data else [])]:
        yield path if path.is_dir() else path.parent
    for source in constitutions_in(paths):
        with suppress(ConfigurationError):
            for one in sources_of(Constitution.load(source).source):
                yield Path(one.document.file).parent


def _is_ours(_: Any, path: str) -> bool:
    return path.endswith((".yaml", ".yml", ".jsonl"))


def _again(out: Console, paths: Sequence[str], plan: Plan, before: dict[str, Tested]) -> None:
    """Test everything; whoever is typing makes mistakes, which are told and end nothing."""
    try:
        for suite in suites(constitutions_in(paths), plan):
            tested, last = suite.run(), before.get(suite.constitution.source.document.file)
            before[suite.constitution.source.document.file] = tested
            if last is None:
                tell(out, tested, None if plan.model is None else str(plan.model))
            else:
                _tell_change(out, last, tested)
    except ConstitutionError as error:
        for problem in error.problems:
            out.print(visible(str(problem)), style="red")
    except ConfigurationError as error:
        out.print(visible(str(error)), style="red")
    out.print("waiting for the next change; Ctrl-C ends", style="dim")


def _tell_change(out: Console, before: Tested, after: Tested) -> None:
    failed, mended = _failures(before), _failures(after)
    for failure in (failed[key] for key in failed if key not in mended):
        out.print(f"mended  {failure.principle}: {failure.what}", style="green")
    tell_failures(out, (mended[key] for key in mended if key not in failed))
    for line in _shares(before, after):
        out.print(line)
    if before.constitution.digest == after.constitution.digest:
        out.print("nothing that is judged by has changed", style="dim")
    out.print(summary(after))


def _failures(tested: Tested) -> Mapping[Key, Failure]:
    """The failures by what they are about: an example that is moved is the same one."""
    return {
        (one.principle, one.what.partition(" is ")[0], one.result.case.exchange.reply if one.result else ""): one
        for one in tested.failures
    }


def _shares(before: Tested, after: Tested) -> Iterator[str]:
    old = {own.principle: own for own in before.scores}
    for own in after.scores:
        last = old.pop(own.principle, None)
        if last is None:
            yield f"new     {own.principle}: {own.breaking.total + own.keeping.total} examples"
            continue
        names = ("recall", "precision", "over_refusal")
        changed = [(name, getattr(last, name), getattr(own, name)) for name in names]
        said = [f"{name.replace('_', '-')} {was} -> {now}" for name, was, now in changed if was != now]
        if said:
            yield f"        {own.principle}: {', '.join(said)}"
    yield from (f"gone    {name}" for name in old)
