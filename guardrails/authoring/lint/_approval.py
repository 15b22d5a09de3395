"""The rule about sign-off."""

from __future__ import annotations

from collections.abc import Iterator

from guardrails.authoring.lint._rule import rule
from guardrails.authoring.lint._subject import Subject
from guardrails.constitution import outdated
from guardrails.errors import ConstitutionError, Problem


@rule("AP01", "outdated-approval")
def outdated_approval(subject: Subject) -> Iterator[Problem]:
    """The newest approval in `approvals.yaml` is of another wording than today's, or the file cannot be read.

    Each selection that was approved, a jurisdiction with variables, counts by itself. Older approvals are history. A
    constitution that nobody ever approved is not found: whether one has to be, a guard's `require_approved` says.

    ## Why

    Somebody changed what somebody else had signed, be it one word.

    ## Avoid

    ```yaml
    - by: Jane Doe, Compliance
      at: 2026-11-02T09:00:00Z
      name: test
      version: "1"
      digest: 1f1a0c9f5a2b7d9c1b7cf2f1c7e5a96f0a4be0f7a1c3d5e7f90b1d2c3e4f5061
    ```

    ## Prefer

    ```yaml
    - by: Jane Doe, Compliance
      at: 2026-11-02T09:00:00Z
      name: test
      version: "1"
      digest: 1f1a0c9f5a2b7d9c1b7cf2f1c7e5a96f0a4be0f7a1c3d5e7f90b1d2c3e4f5061
    - by: Jane Doe, Compliance
      at: 2026-11-23T16:30:00Z
      name: test
      version: "2"
      digest: 7c1e4d8a90b3f2651c8d7e6f5a4b3c2d1e0f9a8b7c6d5e4f3a2b1c0d9e8f7a6b
    ```
    """
    try:
        yield from outdated(subject.constitution)
    except ConstitutionError as error:
        yield from error.problems
