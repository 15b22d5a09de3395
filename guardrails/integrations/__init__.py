"""Guards for the clients and frameworks that people have already: one file each, imported when it is used."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, TypeVar

from guardrails.errors import ConfigurationError

if TYPE_CHECKING:
    from guardrails._guard import Guard

C = TypeVar("C")
_SDKS = {"anthropic": "anthropic", "openai": "openai", "google.genai": "google"}


def wrap(guard: Guard, client: C) -> C:
    """The same client, guarded: told apart by the package that its class, or a base of it, comes from.

    Raises:
        ConfigurationError: it is no client of an SDK that is known, or a part of one.
    """
    for base in type(client).__mro__:
        for package, name in _SDKS.items():
            if f"{base.__module__}.".startswith(f"{package}."):
                integration = import_module(f"guardrails.integrations.{name}")
                if isinstance(client, integration.CLIENTS):
                    wrapped: C = integration.wrap(guard, client)
                    return wrapped
    if isinstance(client, type):
        raise ConfigurationError(f"{client.__qualname__} is a class. Wrap a client made of it: {client.__name__}(…).")
    raise ConfigurationError(
        f"cannot wrap {type(client).__module__}.{type(client).__qualname__}. Clients of anthropic, openai and "
        "google-genai are wrapped whole, not their parts: guard.wrap(client). Of anything else, decorate the function "
        "that makes the call with the guard."
    )
