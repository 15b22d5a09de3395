"""Rules about principles that are not in force, or that stop nothing."""

from __future__ import annotations

from collections.abc import Iterator

from guardrails.authoring.lint._rule import rule
from guardrails.authoring.lint._subject import Subject
from guardrails.errors import Problem


@rule("FO01", "expired")
def expired(subject: Subject) -> Iterator[Problem]:
    """A principle's last day, `expires`, has passed.

    ## Why

    It is still judged by: nothing switches it off. Somebody has to decide whether it goes or stays.

    ## Avoid

    ```yaml
    expires: 2026-03-31
    ```

    ## Prefer

    ```yaml
    expires: 2031-03-31
    ```
    """
    for own in subject.own:
        last = own.principle.expires
        if last and last < subject.today:
            yield own.problem(("expires",), f"{own.principle.id} expired on {last}.", "Remove it, or renew the date.")


@rule("FO02", "not-yet-effective")
def not_yet_effective(subject: Subject) -> Iterator[Problem]:
    """A principle's first day, `effective`, is to come.

    ## Why

    It is judged by already: nothing waits for the date. Keep it in a draft until then.

    ## Avoid

    ```yaml
    effective: 2031-04-01
    ```

    ## Prefer

    ```yaml
    effective: 2026-04-01
    ```
    """
    for own in subject.own:
        first = own.principle.effective
        if first and first > subject.today:
            message = f"{own.principle.id} is effective from {first}, and judged by already."
            yield own.problem(("effective",), message, "Keep it in a draft until then, or correct the date.")


@rule("FO03", "critical-flag")
def critical_flag(subject: Subject) -> Iterator[Problem]:
    """A critical principle only flags: `on_violation: flag` releases the reply as it is.

    ## Why

    A breach that is critical is one that must not go out.

    ## Avoid

    ```yaml
    severity: critical
    on_violation: flag
    ```

    ## Prefer

    ```yaml
    severity: critical
    on_violation: block
    ```
    """
    for own in subject.own:
        if own.principle.severity == "critical" and own.principle.on_violation == "flag":
            message = f"{own.principle.id} is critical, and a breach of it is released."
            yield own.problem(("on_violation",), message, "Write `revise` or `block`, or a lower severity.")
