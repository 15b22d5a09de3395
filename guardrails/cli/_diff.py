"""`guardrails diff`: two versions of a constitution beside each other, by meaning."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Annotated, Any

import typer

from guardrails._assemble import DEFAULT_AUDIT
from guardrails.authoring._compare import ChangedPrinciple, Comparison, compare
from guardrails.authoring._versions import Version, version_of
from guardrails.cli._data import print_json
from guardrails.cli._diff_text import tell
from guardrails.cli._options import Audit, Json
from guardrails.cli._print import console

_SOURCE = "A shipped name, a folder or file, a git revision REV:path, or the digest of a wording in the trail."


def diff(
    old: Annotated[str, typer.Argument(help=_SOURCE)],
    new: Annotated[str, typer.Argument(help="The same.")],
    audit: Audit = DEFAULT_AUDIT,
    exit_code: Annotated[bool, typer.Option("--exit-code", help="End with 1 where there is a difference.")] = False,
    as_json: Json = False,
) -> None:
    """Compare two versions of a constitution by meaning: what became stricter, what looser, what reads otherwise."""
    found = compare(version_of(old, audit), version_of(new, audit))
    if as_json:
        print_json(_data(found))
    else:
        tell(console(), found)
    if exit_code and found:
        raise typer.Exit(1)


def _data(found: Comparison) -> dict[str, Any]:
    return {
        "old": _reference(found.old),
        "new": _reference(found.new),
        "differ": bool(found),
        "counts": found.counts,
        "changes": [asdict(change) for change in found.changes],
        "principles": [dict(_principle(one)) for one in found.principles],
    }


def _reference(version: Version) -> dict[str, str]:
    return {key: getattr(version, key) for key in ("label", "name", "version", "digest")}


def _principle(one: ChangedPrinciple) -> Iterator[tuple[str, Any]]:
    yield "id", one.id
    if one.was:
        yield "was", one.was
    yield "kind", one.kind
    if one.before and one.after:
        yield "reworded", one.is_reworded
        yield "changes", [asdict(change) for change in one.changes]
    else:
        whole = one.before or one.after
        assert whole is not None
        yield "principle", whole.model_dump(mode="json")
