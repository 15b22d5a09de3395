"""Where a version of a constitution comes from: a name, a path, a git revision, or the wording that a trail keeps.

Whatever it comes from, it is one value, which comparisons work from. Backtests judge, and need a constitution.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from pydantic import ValidationError

from guardrails._assemble import DEFAULT_AUDIT, trail_from
from guardrails.audit import AuditTrail, Where
from guardrails.authoring._found import constitutions_in
from guardrails.authoring._revision import REVISION, loaded_at
from guardrails.constitution import Constitution, Expect, Principle, Settings, did_you_mean, shipped
from guardrails.errors import AuditError, ConfigurationError

_DIGEST = re.compile(r"[0-9a-f]{8,64}")
_WHOLE = 64
_NAMED = 3


@dataclass(frozen=True, slots=True)
class Version:
    """A compiled constitution, and what it was asked for by: its `label`.

    `principles` are those that apply, their texts filled in. `expect` is None where nobody can tell: a trail keeps
    what judges, revises and blocks, and not what tests ask for.
    """

    label: str
    name: str
    version: str
    digest: str
    principles: tuple[Principle, ...]
    settings: Settings
    variables: Mapping[str, Any]
    facts: tuple[Mapping[str, str], ...]
    fallback: Mapping[str, str]
    warning: Mapping[str, str]
    expect: Expect | None = None

    @classmethod
    def of(cls, constitution: Constitution, label: str) -> Version:
        """The version that a loaded constitution is.

        >>> Version.of(Constitution.load("general"), "draft").name
        'general'
        """
        return cls(
            label,
            constitution.name,
            constitution.version,
            constitution.digest,
            constitution.principles,
            constitution.settings,
            constitution.variables,
            constitution.facts,
            constitution.fallback,
            constitution.warning,
            constitution.expect,
        )

    @classmethod
    def read(cls, content: bytes, label: str) -> Version:
        """The version with this content, as a trail keeps it; what an older one did not know has its default.

        Raises:
            ConfigurationError: it is no content that this version of the library can read.

        >>> general = Constitution.load("general")
        >>> Version.read(general.content, "then").principles == general.principles
        True
        """
        try:
            told = json.loads(content)
            return cls(
                label,
                str(told["name"]),
                str(told["version"]),
                hashlib.sha256(content).hexdigest(),
                tuple(map(Principle.model_validate, told["principles"])),
                Settings.model_validate(told["settings"]),
                dict(told["variables"]),
                tuple(map(dict, told["facts"])),
                dict(told["fallback"]),
                dict(told["warning"]),
            )
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            place = ".".join(map(str, first["loc"])) or "a principle"
            what = f"{place}: {first['msg']}"
        except (ValueError, LookupError, TypeError) as error:
            what = f"{type(error).__name__}"
        raise ConfigurationError(
            f"{label}: the wording in the trail cannot be read ({what}). If a later version of"
            " constitutional-guardrails wrote it, upgrade."
        )


def version_of(source: str, audit: str = DEFAULT_AUDIT) -> Version:
    """The version that a source means.

    A source is a shipped name, a path, `REV:path` in the git repository that one is in, or the digest of a wording
    in the trail at `audit`: all 64 hexadecimal digits, or at least the first 8. What is there as a path is taken as
    one, except that a shipped name wins, as everywhere.

    Raises:
        ConfigurationError: it is none of these, or cannot be used as what it is; the message says what was tried.

    >>> version_of("finance").label
    'finance'
    """
    if constitution := _loaded(source):
        return Version.of(constitution, source)
    if _DIGEST.fullmatch(source.lower()):
        return _in_trail(source, audit)
    raise _unknown(
        source,
        ", as HEAD~1:constitutions/finance; the digest of a wording in a trail has 64"
        " hexadecimal digits, of which the first 8 will do.",
    )


def constitution_of_version(source: str, jurisdiction: str | None = None) -> Constitution:
    """The constitution that a source means, to judge under: a shipped name, a path or `REV:path`.

    Raises:
        ConfigurationError: it is none of these, or an unknown jurisdiction. The digest of a wording is refused: what
            a trail keeps can be compared, not loaded.
        ConstitutionError: the constitution has mistakes.

    >>> constitution_of_version("finance").name
    'finance'
    """
    constitution = _loaded(source)
    if constitution:
        return constitution if jurisdiction is None else constitution.select(jurisdiction=jurisdiction)
    if _DIGEST.fullmatch(source.lower()):
        raise ConfigurationError(
            f"{source!r} is no shipped name and no path. A wording in a trail cannot be judged under by its digest:"
            " name the git revision of it, written REV:path, as HEAD~1:constitutions/finance."
        )
    raise _unknown(source, ", as HEAD~1:constitutions/finance.")


def _loaded(source: str) -> Constitution | None:
    if source in shipped() or _is_there(source):
        return Constitution.load(_one(source))
    return loaded_at(source, _one) if REVISION.fullmatch(source) else None


def _unknown(source: str, forms: str) -> ConfigurationError:
    hint = did_you_mean(source, shipped()) if "/" not in source else ""
    return ConfigurationError(
        f"{source!r} is no version of a constitution: no shipped name, and nothing stands at this path. {hint}".rstrip()
        + f" A git revision is written REV:path{forms}"
    )


def _is_there(source: str) -> bool:
    try:
        return bool(source) and Path(source).exists()
    except (OSError, ValueError):  # a name that no file can have
        return False


def _one(path: str) -> str | Path:
    """The constitution at a path, or that a principle's file belongs to."""
    found = constitutions_in([path])
    if len(found) > 1:
        names = ", ".join(map(str, found[:_NAMED])) + (", …" if len(found) > _NAMED else "")
        raise ConfigurationError(f"{path} holds {len(found)} constitutions: {names}. Name one of them.")
    return found[0]


def _in_trail(source: str, audit: str) -> Version:
    trail = cast("AuditTrail", trail_from(audit))
    with closing(trail):
        try:
            digest = _whole(trail, source.lower())
            wording = trail.wording(digest)
        except AuditError as error:
            raise ConfigurationError(f"{source!r} is no shipped name, no path, and no digest: {error}") from error
    if wording is None:
        raise ConfigurationError(f"{trail.url} holds no wording with the digest {digest}; only runs that name it.")
    if hashlib.sha256(wording.content).hexdigest() != digest:
        raise ConfigurationError(f"{trail.url}: the wording with the digest {digest} was altered.")
    return Version.read(wording.content, source)


def _whole(trail: AuditTrail, beginning: str) -> str:
    """The digest that begins so, of the wordings that the trail's runs were judged under."""
    if len(beginning) == _WHOLE:
        return beginning
    runs = trail.runs(where=Where(constitution=beginning))
    found = sorted({run.constitution.digest for run in runs if run.constitution.digest.startswith(beginning)})
    if not found:
        raise ConfigurationError(
            f"{beginning!r} is no shipped name, no path, and no wording in {trail.url} has a digest that begins so."
            " Name the trail with --audit; `guardrails audit list --json` prints the digests."
        )
    if len(found) > 1:
        raise ConfigurationError(f"several digests in {trail.url} begin with {beginning!r}: {', '.join(found)}.")
    return found[0]
