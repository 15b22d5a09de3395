"""Rules about what a principle rests on, and from when to when it is in force."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from guardrails.authoring.lint._rule import rule
from guardrails.authoring.lint._subject import Subject
from guardrails.errors import Problem

_YEAR = timedelta(days=365)


@rule("AU01", "no-authority")
def no_authority(subject: Subject) -> Iterator[Problem]:
    """A principle names nothing that it rests on.

    ## Why

    Whoever is blocked by a rule, and whoever audits it, asks who says so. A house's own policy is an authority too.

    ## Avoid

    ```yaml
    authority: []
    ```

    ## Prefer

    ```yaml
    authority:
      - {cite: "Acme Bank, Customer Communication Policy, section 4", verified: primary, checked_on: 2026-11-23}
    ```
    """
    for own in subject.own:
        if not own.principle.authority:
            advice = "Write `authority:` with the law, the guideline or the policy of your house."
            yield own.problem(("authority",), f"{own.principle.id} names no authority.", advice, key=True)


@rule("AU02", "no-check-date")
def no_check_date(subject: Subject) -> Iterator[Problem]:
    """An authority is said to be verified, and not when: there is no `checked_on`, or it lies in the future.

    ## Why

    Laws change. That somebody read a text is worth what its date says.

    ## Avoid

    ```yaml
    authority:
      - {cite: Deposit Insurance Act section 2, verified: primary}
    ```

    ## Prefer

    ```yaml
    authority:
      - {cite: Deposit Insurance Act section 2, verified: primary, checked_on: 2026-11-23}
    ```
    """
    for own in subject.own:
        for index, authority in enumerate(own.principle.authority):
            if authority.verified != "unverified" and authority.checked_on is None:
                message = f"verified by a {authority.verified} source, and not when."
                yield own.problem(("authority", index), message, "Write `checked_on:` and the date.")
            elif authority.checked_on and authority.checked_on > subject.today:
                message = f"checked on {authority.checked_on}, which is to come."
                yield own.problem(("authority", index, "checked_on"), message, "Write the day on which it was read.")


@rule("AU03", "stale-authority")
def stale_authority(subject: Subject) -> Iterator[Problem]:
    """An authority was last checked more than a year ago.

    ## Why

    Laws and guidelines are amended every year, and nobody tells the constitution.

    ## Avoid

    ```yaml
    authority:
      - {cite: Deposit Insurance Act section 2, verified: primary, checked_on: 2024-01-15}
    ```

    ## Prefer

    ```yaml
    authority:
      - {cite: Deposit Insurance Act section 2, verified: primary, checked_on: 2026-11-23}
    ```
    """
    for own in subject.own:
        for index, authority in enumerate(own.principle.authority):
            if authority.checked_on and subject.today - authority.checked_on > _YEAR:
                days = (subject.today - authority.checked_on).days
                message = f"last checked on {authority.checked_on}, {days} days ago."
                advice = "Read the provision again, and write today's date."
                yield own.problem(("authority", index, "checked_on"), message, advice)


@rule("AU04", "unverified-critical")
def unverified_critical(subject: Subject) -> Iterator[Problem]:
    """No authority of a critical principle was verified, and no `note` says why.

    ## Why

    A critical principle stops replies. What it rests on should have been read by somebody; where it could not be, say
    so in the note.

    ## Avoid

    ```yaml
    severity: critical
    authority:
      - {cite: Deposit Insurance Act section 2}
    ```

    ## Prefer

    ```yaml
    severity: critical
    authority:
      - {cite: Deposit Insurance Act section 2, note: The consolidated text is not public; quoted by our counsel.}
    ```
    """
    for own in subject.own:
        authority = own.principle.authority
        is_open = all(one.verified == "unverified" and not one.note for one in authority)
        if own.principle.severity == "critical" and authority and is_open:
            message = f"{own.principle.id} is critical, and nobody verified what it rests on."
            advice = "Read the provision and write `verified:` and `checked_on:`, or say in `note:` why nobody could."
            yield own.problem(("authority",), message, advice, key=True)
