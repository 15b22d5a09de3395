"""Variables in a constitution's own texts: `{{ company }}`, `{% if is_licensed_adviser %}…{% endif %}`.

Rendered once, when compiling, with the constitution's variables and nothing else: never with text of
an exchange. Called by `_compile`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2.nodes import Node
    from jinja2.sandbox import ImmutableSandboxedEnvironment

MAX_RENDERED = 20_000


class TemplateMistakeError(ValueError):
    """A template that cannot be rendered."""


def is_template(text: str) -> bool:
    """Whether a text has anything to render."""
    return "{{" in text or "{%" in text or "{#" in text


def render(text: str, variables: Mapping[str, Any]) -> str:
    """Render one text.

    Raises:
        TemplateMistakeError: a syntax error, an undefined variable, a construct that is not allowed.

    >>> render("{{ company }} is not a bank.", {"company": "Acme"})
    'Acme is not a bank.'
    """
    from jinja2 import TemplateError

    environment = _environment()
    try:
        parsed = environment.parse(text)
        allowed = not any(parsed.find(kind) for kind in _forbidden())
        rendered = environment.from_string(parsed).render(variables) if allowed else ""
    except TemplateError as error:
        raise TemplateMistakeError(f"{str(error.message).rstrip('.')}.") from None
    except (TypeError, ValueError, ArithmeticError, RecursionError) as error:
        raise TemplateMistakeError(f"the template fails ({type(error).__name__}).") from None
    if not allowed:
        raise TemplateMistakeError(
            "a template holds {{ variables }} and {% if %}, no loops, calls, macros or includes."
        )
    if len(rendered) > MAX_RENDERED:
        raise TemplateMistakeError(f"the rendered text has {len(rendered):,} characters; {MAX_RENDERED:,} at most.")
    return rendered


def _forbidden() -> tuple[type[Node], ...]:
    from jinja2 import nodes

    return nodes.For, nodes.Macro, nodes.Call, nodes.CallBlock, nodes.Include, nodes.Import, nodes.FromImport


@cache
def _environment() -> ImmutableSandboxedEnvironment:
    from jinja2 import StrictUndefined
    from jinja2.exceptions import SecurityError
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Sandbox(ImmutableSandboxedEnvironment):
        # The sandbox does not bound what arithmetic builds ('a' * 10**8), so there is none that multiplies.
        intercepted_binops = frozenset({"*", "**", "%"})

        def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:  # noqa: ARG002 - jinja2's signature
            raise SecurityError(f"the operator {operator} is not allowed in a constitution")

    sandbox = Sandbox(undefined=StrictUndefined, autoescape=False)
    sandbox.globals.clear()
    sandbox.filters = {name: sandbox.filters[name] for name in ("default", "lower", "upper", "title", "trim", "join")}
    return sandbox
