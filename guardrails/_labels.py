"""Labels for the records made inside a block: a case number, a user, a release."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

_current: ContextVar[Mapping[str, str]] = ContextVar("guardrails_labels", default={})  # noqa: B039 - never mutated


@contextmanager
def labels(**values: str) -> Iterator[None]:
    """Label the audit records of the guarded calls made inside.

    Blocks nest; threads and tasks started inside take the labels along.

    >>> with labels(case="42"), labels(user="u7"):
    ...     sorted(current())
    ['case', 'user']
    """
    token = _current.set({**_current.get(), **{name: str(value) for name, value in values.items()}})
    try:
        yield
    finally:
        _current.reset(token)


def current() -> Mapping[str, str]:
    """The labels in force."""
    return _current.get()
