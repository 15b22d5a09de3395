"""Signing off a constitution: an entry more in `approvals.yaml` beside it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from guardrails._visible import visible
from guardrails.authoring._found import constitution_of
from guardrails.authoring._import_yaml import quoted
from guardrails.constitution import Approval, Constitution, shipped
from guardrails.constitution._approvals import approvals_file, approvals_in, is_shipped, read_approvals
from guardrails.errors import ConfigurationError, ConstitutionError

_HEAD = (
    "# Who approved which wording. `guardrails approve` adds to this list; keep it in version control.\n"
    "# Older approvals are history, and stay.\n"
)


def approve(
    source: str | os.PathLike[str],
    *,
    by: str,
    note: str = "",
    jurisdiction: str | None = None,
    variables: Mapping[str, Any] | None = None,
    at: datetime | None = None,
) -> tuple[Approval, Path]:
    """Record that somebody approved a constitution as it is now; returns the approval and the file that holds it.

    Args:
        source: A folder or a YAML file of your own; one principle's file means its constitution. What comes with the
            library cannot be approved.
        by: Who: a name, and better a role, too.
        note: Why, or what was looked at.
        jurisdiction: Approve what is in force for this one. Default: all principles.
        variables: Approve what is in force with these overrides.
        at: When. Default: now.

    Raises:
        ConstitutionError: the constitution has mistakes, or `approvals.yaml` has; nothing is written.
        ConfigurationError: it cannot be approved, or the file cannot be written.
    """
    _check_variables(variables or {})
    constitution = Constitution.load(approved_at(source), jurisdiction=jurisdiction, variables=variables)
    if is_shipped(constitution):
        raise ConfigurationError(
            f"{constitution.name} comes with the library, and is not yours to approve. Make a constitution of your "
            f"own with `guardrails init NAME --from {constitution.name}`, and approve that."
        )
    if not by.strip():
        raise ConfigurationError('it says nobody: say who approves, as in --by "Jane Doe, Compliance".')
    approval = Approval(
        by=_line("by", by),
        at=(at or datetime.now(UTC)).astimezone(UTC).replace(microsecond=0),
        name=constitution.name,
        version=constitution.version,
        digest=constitution.digest,
        jurisdiction=jurisdiction,
        variables=dict(variables or {}),
        note=_line("note", note),
    )
    file = approvals_file(constitution)
    _append(approval, file)
    return approval, file


def approved_at(source: str | os.PathLike[str]) -> str | os.PathLike[str]:
    """The constitution that is meant by a path: a principle is approved with all that stands around it."""
    path = Path(source)
    if os.fspath(source) in shipped() or not path.is_file():
        return source
    return constitution_of(path) or source


def _check_variables(variables: Mapping[str, Any]) -> None:
    for name, value in variables.items():
        try:
            f"{name}{value}".encode()
        except UnicodeEncodeError:
            text = visible(f"{name}={value}")
            raise ConfigurationError(f"variable {text}: half a character, which no file can hold.") from None


def _line(name: str, text: str) -> str:
    """A text as it goes into the file: one line, and nothing in it that a reader would not see."""
    line = " ".join(text.split())
    if not line.isprintable():
        raise ConfigurationError(f"{name} holds characters that nobody sees: {visible(line)}. Leave them out.")
    return line


def _append(approval: Approval, file: Path) -> None:
    """Add an entry to the end of a file: what stands there stays byte for byte.

    Raises:
        ConstitutionError: what stands there has mistakes.
        ConfigurationError: it is no list to which an entry can be added, or it cannot be written.
    """
    with _instead_of(file.resolve()) as out:  # of a link, what it leads to is replaced
        before = read_approvals(file).data
        old = file.read_bytes() if file.exists() else _HEAD.encode()
        end = b"\r\n" if b"\r\n" in old else b"\n"
        entry = end.join(line.encode() for line in (*_entry(approval), ""))
        new = old + (b"" if old.endswith(b"\n") or not old else end) + entry
        try:
            added = approvals_in(new, file).data
        except ConstitutionError:
            added = None
        if added is None or added[:-1] != before or Approval.model_validate(added[-1]) != approval:
            raise ConfigurationError(
                f"{file} is no list to whose end an approval can be added, and stays as it is. Begin each of its "
                "entries with a hyphen at the margin."
            )
        out.write(new)


def _entry(approval: Approval) -> Iterator[str]:
    """An approval in YAML. JSON's strings are strings of YAML; a time is left bare, for people."""
    yield f"- by: {quoted(approval.by)}"
    yield f"  at: {approval.at:%Y-%m-%dT%H:%M:%SZ}"
    yield f"  name: {quoted(approval.name)}"
    yield f"  version: {quoted(approval.version)}"
    yield f"  digest: {quoted(approval.digest)}"
    if approval.jurisdiction is not None:
        yield f"  jurisdiction: {quoted(approval.jurisdiction)}"
    if approval.variables:
        yield f"  variables: {quoted(approval.variables)}"
    if approval.note:
        yield f"  note: {quoted(approval.note)}"


@contextmanager
def _instead_of(file: Path) -> Iterator[Any]:
    """A new file that takes the place of another when it is complete.

    Its name is also the lock: of two people who approve at the same time, one is told to wait.
    """
    part = file.with_name(f".{file.name}.part")
    try:
        out = part.open("xb")
    except FileExistsError as error:
        raise ConfigurationError(
            f"{part} is there: somebody else is approving, or an approval was cut off. If nobody is, remove it."
        ) from error
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be written: {error.strerror}.") from error
    try:
        with out:
            yield out
            out.flush()
            os.fsync(out.fileno())
        if file.exists():
            part.chmod(file.stat().st_mode)
        part.replace(file)
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be written: {error.strerror}.") from error
    finally:
        part.unlink(missing_ok=True)
