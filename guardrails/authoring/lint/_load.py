"""The rule about constitutions that cannot be used at all."""

from __future__ import annotations

from collections.abc import Iterator

from guardrails.authoring.lint._breadth import EMPTY, empty_match
from guardrails.authoring.lint._rule import Rule, rule
from guardrails.authoring.lint._subject import Subject
from guardrails.errors import ConfigurationError, Problem


@rule("IN01", "invalid")
def invalid(subject: Subject) -> Iterator[Problem]:
    """The constitution cannot be loaded, or a principle can never be in force.

    All mistakes of all its files are named at once, and no other rule is tried. The second is an `only_if` whose value
    is not of the variable's kind: `"false"` in quotes is text, and no variable that is true or false has that value.

    ## Why

    A guard does not start with such a constitution, and a principle that never applies protects nobody.

    ## Avoid

    ```yaml
    severty: high
    ```

    ## Prefer

    ```yaml
    severity: high
    ```
    """
    variables = subject.constitution.variables
    for own in subject.own:
        only_if = own.principle.only_if
        if all(variables[name] == value for name, value in only_if.items()):
            continue
        try:
            subject.constitution.select(variables=only_if)
        except ConfigurationError as error:
            message = f"{own.principle.id} never applies: {error}"
            yield own.problem(("only_if",), message, "Write a value of the variable's kind.", key=True)


def rule_for(problem: Problem) -> Rule:
    """The rule that a mistake found in loading goes by."""
    return empty_match if problem.message.startswith(EMPTY) else invalid
