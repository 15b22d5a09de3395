"""The port to any language model: requests out, replies in.

`model_from` makes a `Model` of what users write. The providers' SDKs take seconds to import, so
each loads when its model class is first asked for.
"""

from __future__ import annotations

from difflib import get_close_matches
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

from guardrails.errors import ConfigurationError
from guardrails.models._answer import UnreadableError, answer
from guardrails.models._callable import CallableModel
from guardrails.models._interface import Model, ModelReply, ModelRequest
from guardrails.models._loop import in_thread, is_async, run, submit, submit_and_wait
from guardrails.models._present import instructions, present
from guardrails.models._step import (
    Ask,
    Call,
    CallResult,
    Done,
    Failure,
    Request,
    Result,
    Step,
    advance,
    checked,
    together,
)

if TYPE_CHECKING:
    from guardrails.models._anthropic import AnthropicModel
    from guardrails.models._openai import OpenAIModel

__all__ = [
    "AnthropicModel",
    "Ask",
    "Call",
    "CallResult",
    "CallableModel",
    "Done",
    "Failure",
    "Model",
    "ModelReply",
    "ModelRequest",
    "OpenAIModel",
    "Request",
    "Result",
    "Step",
    "UnreadableError",
    "advance",
    "answer",
    "checked",
    "in_thread",
    "instructions",
    "is_async",
    "model_from",
    "present",
    "run",
    "submit",
    "submit_and_wait",
    "together",
]

_LAZY = {"AnthropicModel": "guardrails.models._anthropic", "OpenAIModel": "guardrails.models._openai"}
_PROVIDERS = {"anthropic": "AnthropicModel", "openai": "OpenAIModel"}
# How the ids of a provider's models begin, to guess what a bare id was meant to be.
_FAMILIES = {"claude": "anthropic", "gpt": "openai", "o1": "openai", "o3": "openai", "o4": "openai"}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def model_from(spec: Any) -> Model:
    """Make a model of `"provider:model-id"`, a `Model`, or a function from `ModelRequest` to text.

    Raises:
        ConfigurationError: none of those, or a provider that is unknown or not installed.

    >>> model_from("anthropic:claude-haiku-4-5").name
    'anthropic:claude-haiku-4-5'
    >>> model_from(lambda request: "calm").complete(ModelRequest("judge", "", ())).text
    'calm'
    """
    if isinstance(spec, str):
        return _named(spec)
    if isinstance(spec, type):
        raise ConfigurationError(f"a model is an instance, not the class {spec.__name__}: build one")
    if isinstance(spec, Model):
        return spec
    if callable(spec):
        return CallableModel(spec)
    package = type(spec).__module__.partition(".")[0]
    if package in _PROVIDERS:
        raise ConfigurationError(
            f"{type(spec).__name__} is a client, not a model: give {_PROVIDERS[package]}('<model id>', client=…), "
            f"or '{package}:<model id>'"
        )
    raise ConfigurationError(
        f"{type(spec).__name__} is no model: give 'provider:model-id', a function from ModelRequest to text, or an "
        "object with `name`, `complete` and `acomplete`"
    )


def _named(spec: str) -> Model:
    provider, colon, model = spec.partition(":")
    if provider in _PROVIDERS and model.strip():
        return cast("Model", __getattr__(_PROVIDERS[provider])(model))
    known = " or ".join(f"'{name}:<model id>'" for name in _PROVIDERS)
    if provider in _PROVIDERS:
        raise ConfigurationError(f"model {spec!r} names no model of {provider}: write '{provider}:<model id>'")
    family = next((name for start, name in _FAMILIES.items() if provider.startswith(start)), None)
    if not colon and family:
        raise ConfigurationError(f"model {spec!r} names no provider: did you mean '{family}:{spec}'?")
    close = get_close_matches(provider.strip().lower(), _PROVIDERS, n=1)
    meant = f" (did you mean '{close[0]}:{model.strip() or '<model id>'}'?)" if close else ""
    raise ConfigurationError(f"model {spec!r}: no provider {provider!r}{meant}. Write {known}; any other is a function")
