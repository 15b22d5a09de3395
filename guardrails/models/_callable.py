"""A plain function as a model."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, TypeAlias

from guardrails.errors import ConfigurationError, ModelError
from guardrails.models import _loop
from guardrails.models._interface import ModelReply, ModelRequest

Answer: TypeAlias = str | ModelReply
ModelFunction: TypeAlias = Callable[[ModelRequest], Answer | Awaitable[Answer]]


class CallableModel:
    """A function that takes a `ModelRequest` and returns text or a `ModelReply`, sync or async.

    `acomplete` calls a sync function in a thread of its own; `complete` runs an async one on the
    library's private event loop. The request's `timeout` is the function's to keep. `name` is
    `callable:` and the function's name, unless one is given.

    >>> from guardrails.models import ModelRequest
    >>> model = CallableModel(lambda request: "calm", name="acme:judge-1")
    >>> model.complete(ModelRequest("judge", system="", messages=())).text
    'calm'
    """

    def __init__(self, function: ModelFunction, name: str | None = None) -> None:
        if not callable(function):
            raise ConfigurationError(f"a model function is callable; {type(function).__name__} is not")
        self.function = function
        self.name = name or f"callable:{_name(function)}"

    def __repr__(self) -> str:
        return f"CallableModel({self.name!r})"

    @property
    def in_thread(self) -> bool:
        """Whether `acomplete` runs the function in a thread, which no deadline can end."""
        return not _loop.is_async(self.function)

    def complete(self, request: ModelRequest) -> ModelReply:
        """Call the function here; what it leaves to await is awaited on the private loop.

        Raises:
            ModelError: the function raised, or returned neither text nor a `ModelReply`.
        """
        answer = self._call(request)
        return _loop.run(self._settled(answer)) if inspect.isawaitable(answer) else self._reply(answer)

    async def acomplete(self, request: ModelRequest) -> ModelReply:
        """Call the function without blocking the running loop; raises as `complete` does."""
        if self.in_thread:
            return await self._settled(await _loop.in_thread(self._call, request))
        return await self._settled(self._call(request))

    def _call(self, request: ModelRequest) -> Any:
        try:
            return self.function(request)
        except ModelError:  # the function's own says more than ours could
            raise
        except Exception as error:
            raise self._failure(error) from error

    async def _settled(self, answer: Any) -> ModelReply:
        try:
            answer = await answer if inspect.isawaitable(answer) else answer
        except ModelError:  # the function's own says more than ours could
            raise
        except Exception as error:
            raise self._failure(error) from error
        return self._reply(answer)

    def _reply(self, answer: Any) -> ModelReply:
        if isinstance(answer, ModelReply):
            return answer
        if isinstance(answer, str):
            return ModelReply(answer, model=self.name)
        raise ModelError(f"{self.name} returned {type(answer).__name__}; a model function returns str or ModelReply")

    def _failure(self, error: Exception) -> ModelError:
        return ModelError(f"{self.name} raised {type(error).__name__}; its traceback is this error's cause")


def _name(function: Any) -> str:
    function = function.func if isinstance(function, partial) else function
    return str(getattr(function, "__qualname__", type(function).__qualname__))
