"""Sign-off: who approved which wording of a constitution, read from `approvals.yaml` beside it.

Called by the guard, the linter, the rule book and `guardrails approve`. Approvals stand outside the content that the
digest is taken over.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, StringConstraints, ValidationError

from guardrails.constitution._compile import Constitution
from guardrails.constitution._load import shipped
from guardrails.constitution._mistakes import problems
from guardrails.constitution._types import Part, Scalar, Words
from guardrails.constitution._yaml import MAX_BYTES, Document, parse
from guardrails.errors import ConfigurationError, ConstitutionError, Problem

_MAIN = "constitution.yaml"
_FILE = "approvals.yaml"
_TIME = "a time is written as 2026-11-24T09:00:00Z"


def _time(value: Any) -> datetime:
    if isinstance(value, datetime):
        return value
    if not isinstance(value, str):
        raise ValueError(_TIME)  # noqa: TRY004 - pydantic's way to say so
    try:
        time = datetime.fromisoformat(value)
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(_TIME) from None


class Approval(Part):
    """That somebody approved a wording of a constitution.

    It is as true as the file that it stands in: whoever can write the file can approve.
    """

    by: Words
    """Who approved."""
    at: Annotated[datetime, BeforeValidator(_time)]
    """When, in UTC."""
    name: Words
    """The constitution's name then."""
    version: Words
    """Its version then."""
    digest: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    """The digest of what was approved: for that jurisdiction, with those variables."""
    jurisdiction: Words | None = None
    """The one whose principles were approved; None for all."""
    variables: dict[str, Scalar] = Field(default={})
    """The variables that were overridden."""
    note: str = ""


def approvals(source: str | os.PathLike[str] | Constitution) -> tuple[Approval, ...]:
    """Everything ever approved under a constitution's name, as `approvals.yaml` lists it; empty without that file.

    `source` is a constitution, or what `Constitution.load` takes. Entries under other names are left out: single-file
    constitutions of one folder share a file.

    >>> approvals("finance")
    ()

    Raises:
        ConstitutionError: the file has mistakes, or the constitution has.
    """
    constitution = source if isinstance(source, Constitution) else Constitution.load(source)
    return tuple(approval for _, approval in _own(constitution, read_approvals(approvals_file(constitution))))


def is_approved(constitution: Constitution) -> bool:
    """Whether exactly this content was approved at some time: after its jurisdiction and its variables.

    Raises:
        ConstitutionError: `approvals.yaml` has mistakes.
    """
    return any(approval.digest == constitution.digest for approval in approvals(constitution))


def demand_approval(constitution: Constitution) -> None:
    """Refuse a constitution that is not approved as it is.

    Raises:
        ConfigurationError: it is not; the message says what was approved last, and how to approve.
    """
    approved = approvals(constitution)
    if any(approval.digest == constitution.digest for approval in approved):
        return
    last = max(approved, key=lambda approval: approval.at, default=None)
    before = "Nothing was approved under this name." if last is None else f"Approved last: {_who(last)}."
    raise ConfigurationError(
        f"{constitution.name} {constitution.version} is not approved as it is in force here (digest "
        f"{constitution.digest}). {before} {_how(constitution)}"
    )


def outdated(constitution: Constitution) -> list[Problem]:
    """Selections whose newest approval is of another wording than today's, each at its place in `approvals.yaml`.

    A selection is a jurisdiction with variables, as it was approved. Older approvals are history, and no mistakes.

    Raises:
        ConstitutionError: the file has mistakes.
    """
    document = read_approvals(approvals_file(constitution))
    newest: dict[str, tuple[int, Approval]] = {}
    for index, approval in _own(constitution, document):
        selection = repr((approval.jurisdiction, sorted(approval.variables.items())))
        if selection not in newest or newest[selection][1].at <= approval.at:
            newest[selection] = index, approval
    checked = (_outdated(constitution, document, index, approval) for index, approval in newest.values())
    return [problem for problem in checked if problem is not None]


def approvals_file(constitution: Constitution) -> Path:
    """Where a constitution's approvals are kept: in its folder, or beside its file."""
    return Path(constitution.source.document.file).parent / _FILE


def read_approvals(file: Path) -> Document:
    """A file of approvals: its entries as data, and their places. A file that is not there has none.

    Raises:
        ConstitutionError: it cannot be read, or has mistakes.
    """
    try:
        with file.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        return Document(str(file), [])
    except OSError as error:
        raise ConstitutionError([Problem(str(file), 0, 0, f"cannot be read: {error.strerror}.")]) from error
    return approvals_in(raw, file)


def approvals_in(raw: bytes, file: Path) -> Document:
    """What a file of approvals would say with this content.

    Raises:
        ConstitutionError: it has mistakes.
    """
    document = parse(raw, str(file))
    if document.data is None and not document.problems:
        document.data = []  # nothing but comments
    found = document.problems or list(_mistakes(document))
    if found:
        raise ConstitutionError(found)
    return document


def _mistakes(document: Document) -> Iterator[Problem]:
    if not isinstance(document.data, list):
        advice = "Begin each approval with a hyphen, or let `guardrails approve` write the file."
        yield document.problem((), "approvals are a list.", advice)
        return
    for index, data in enumerate(document.data):
        try:
            Approval.model_validate(data)
        except ValidationError as error:
            yield from problems(error, Approval, document, (index,))


def _own(constitution: Constitution, document: Document) -> Iterator[tuple[int, Approval]]:
    """The approvals under a constitution's name, with their numbers in the file."""
    for index, data in enumerate(document.data):
        approval = Approval.model_validate(data)
        if approval.name == constitution.name:
            yield index, approval


def _outdated(constitution: Constitution, document: Document, index: int, approval: Approval) -> Problem | None:
    place = (index, "digest")
    try:
        today = constitution.select(jurisdiction=approval.jurisdiction, variables=approval.variables)
    except ConfigurationError as error:
        message = f"what {approval.by} approved cannot be selected any more: {error}"
        return document.problem(place, message, "Remove the entry, if nobody runs this selection.")
    if today.digest == approval.digest:
        return None
    changed = (
        f"the version is {today.version} now"
        if today.version != approval.version
        else "the version is the same, its content is not"
    )
    command = approve_command(constitution, approval.jurisdiction, approval.variables)
    message = f"not approved as it is now: {_who(approval)}; {changed}."
    return document.problem(place, message, f"Have it looked at, then: {command}")


def _who(approval: Approval) -> str:
    return f"version {approval.version} by {approval.by}, {approval.at:%Y-%m-%d} (digest {approval.digest[:12]}…)"


def _how(constitution: Constitution) -> str:
    """How to approve what is in force, in so many words."""
    if is_shipped(constitution):
        return (
            "It comes with the library, and is not yours to approve: make a constitution of your own with "
            f"`guardrails init NAME --from {constitution.name}`, and approve that."
        )
    selection = _selection(constitution)
    if selection is None:
        return "It was changed after it was loaded: approve it in its files, and load it from there."
    return f"To approve it: {approve_command(constitution, *selection)}"


def is_shipped(constitution: Constitution) -> bool:
    """Whether it stands among the constitutions that come with the library."""
    file = Path(constitution.source.document.file).resolve()
    return any(file.is_relative_to(folder) for folder in shipped().values())


def approve_command(constitution: Constitution, jurisdiction: str | None, variables: Mapping[str, Scalar]) -> str:
    """The command that approves a constitution for a jurisdiction and with variables."""
    file = Path(constitution.source.document.file)
    path = str(file.parent if file.name == _MAIN else file)
    words = ["guardrails", "approve", f"./{path}" if path in shipped() else path, "--by", "NAME"]
    words += ["--jurisdiction", jurisdiction] if jurisdiction else []
    for name, value in variables.items():
        words += ["--variable", f"{name}={str(value).lower() if isinstance(value, bool) else value}"]
    return shlex.join(words)


def _selection(constitution: Constitution) -> tuple[str | None, Mapping[str, Scalar]] | None:
    """The jurisdiction and the variables that a constitution was compiled for; None where no such selection is it."""
    declared = constitution.select().variables
    chosen = {name: value for name, value in constitution.variables.items() if value != declared.get(name)}
    try:
        for jurisdiction in (None, *_jurisdictions(constitution.select(variables=chosen))):
            if constitution.select(jurisdiction=jurisdiction, variables=chosen).digest == constitution.digest:
                return jurisdiction, chosen
    except ConfigurationError:  # variables that its files do not declare
        return None
    return None


def _jurisdictions(constitution: Constitution) -> Sequence[str]:
    return sorted({name for principle in constitution.principles for name in principle.jurisdictions})
