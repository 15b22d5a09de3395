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
_PARTS = (15, 20)  # so many variables and operators, and one more for each 20 characters


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
        _check_parts(parsed, len(text))
        rendered = environment.from_string(parsed).render(variables)
        rendered.encode()
    except TemplateMistakeError:
        raise
    except TemplateError as error:
        raise TemplateMistakeError(f"{str(error.message).rstrip('.')}.") from None
    except UnicodeEncodeError:
        raise TemplateMistakeError("the rendered text holds half of a character.") from None
    # Jinja makes Python of a template, and Python has limits of its own to how deep that may be nested.
    except (TypeError, ValueError, ArithmeticError, RecursionError, SyntaxError, MemoryError) as error:
        raise TemplateMistakeError(f"the template fails ({type(error).__name__}).") from None
    if len(rendered) > MAX_RENDERED:
        raise TemplateMistakeError(f"the rendered text has {len(rendered):,} characters; {MAX_RENDERED:,} at most.")
    return rendered


def _check_parts(template: Node, length: int) -> None:
    """Only texts, expressions and conditions, and not too many: what assigns or calls can grow without end."""
    from jinja2 import nodes

    parts = list(template.find_all((nodes.Stmt, nodes.Expr)))
    statements = (part for part in parts if isinstance(part, nodes.Stmt | nodes.Call))
    if not all(isinstance(one, nodes.Output | nodes.If) for one in statements):
        raise TemplateMistakeError(
            "a template holds {{ variables }} and {% if %}, no loops, calls, macros or includes."
        )
    count = sum(isinstance(part, nodes.Expr) and not isinstance(part, nodes.TemplateData) for part in parts)
    most = _PARTS[0] + length // _PARTS[1]
    if count > most:
        raise TemplateMistakeError(f"the template has {count:,} parts in {length:,} characters; {most:,} at most.")


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

    # Jinja's optimizer takes minutes over a long expression, and `join` builds texts of any length.
    sandbox = Sandbox(undefined=StrictUndefined, autoescape=False, optimized=False)
    sandbox.globals.clear()
    sandbox.filters = {name: sandbox.filters[name] for name in ("default", "lower", "upper", "title", "trim")}
    return sandbox
