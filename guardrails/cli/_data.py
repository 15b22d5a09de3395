"""What `--json` prints."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, fields, is_dataclass
from datetime import date, datetime
from pathlib import Path
from typing import IO, Any

from guardrails.errors import AuditError
from guardrails.outcome import Outcome


def outcome_data(outcome: Outcome) -> dict[str, Any]:
    """An outcome as plain data, without the reply in its native type."""
    data = {field.name: getattr(outcome, field.name) for field in fields(outcome) if field.name != "reply"}
    return {**data, "usage": {**asdict(outcome.usage), "calls": outcome.usage.calls}}


def print_json(value: Any) -> None:
    """Print one JSON document; unpaired surrogates are escaped, so that any terminal can take it."""
    text = json.dumps(value, ensure_ascii=False, indent=2, default=plain)
    sys.stdout.write(text.encode("utf-8", "backslashreplace").decode("utf-8") + "\n")


def plain(value: Any) -> Any:
    """A value of ours as what JSON knows, one level deep."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    raise TypeError(f"{type(value).__name__} is not plain data")


@contextmanager
def new_file(path: Path) -> Iterator[IO[bytes]]:
    """A file that was not there before, for this user's eyes only: whoever mistypes must not lose a trail.

    Raises:
        AuditError: something is there already, or it cannot be written.
    """
    try:
        with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
            yield file
    except FileExistsError as error:
        raise AuditError(f"{path} is there already, and stays as it is. Name another file.") from error
    except OSError as error:
        raise AuditError(f"{path} cannot be written: {error.strerror}.") from error
