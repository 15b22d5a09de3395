"""What the providers' SDKs have in common: clients that belong to a loop, and errors that run parallel."""

from __future__ import annotations

import asyncio
import inspect
import math
import os
import re
from abc import ABC, abstractmethod
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from json import JSONDecodeError
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, TypeVar

from guardrails.errors import ConfigurationError, ModelError
from guardrails.models import _loop
from guardrails.models._retry import Retry

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping

    from guardrails.models._interface import ModelReply, ModelRequest

_RETRYABLE = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.CONFLICT, HTTPStatus.TOO_MANY_REQUESTS}
_ADVICE = {
    400: "Check that this model takes structured output and as many tokens as were asked for.",
    401: "Set {key} to a valid key, or give `api_key=`.",
    402: "Check the account's billing.",
    403: "Check that the key in {key} may use this model.",
    404: "There is no such model, or no such endpoint: check the id and `base_url=`.",
    413: "The conversation, its context or the constitution is too long: shorten one.",
    422: "Check that this model takes structured output and as many tokens as were asked for.",
    429: "The rate limit is reached: lower the concurrency, or ask for a higher limit.",
}
_REQUEST_ID = re.compile(r"[\w-]{1,64}")


class _Client(Protocol):
    """What is asked of an SDK's asynchronous client here."""

    async def close(self) -> None: ...

    def with_options(self, *, max_retries: int) -> Any: ...


C = TypeVar("C", bound=_Client)


class HostedModel(ABC, Generic[C]):
    """A model that is reached through a provider's SDK.

    Clients are opened by the first request, one a process and event loop: a model may be built
    before a fork, and used from any number of loops. A client closes with its loop, or by `aclose`.
    """

    provider: ClassVar[str]
    key: ClassVar[str]
    """The environment variable that holds the API key."""
    sdk: ClassVar[Callable[..., Any]]
    """The SDK's asynchronous client class."""

    def __init__(self, model: str, *, client: C | None = None, retry: Retry | None = None, **options: Any) -> None:
        self.name = f"{self.provider}:{model}"
        self.model = model
        self._options = self._checked(client, options)
        self._given: C | None = None if client is None else client.with_options(max_retries=0)
        self._retry = retry or Retry()
        # A client holds its loop, so weak keys would never go; closed loops are dropped when the next one opens.
        self._open: dict[tuple[int, asyncio.AbstractEventLoop], tuple[C, AsyncGenerator[C]]] = {}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.model!r})"

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_open": {}}

    def complete(self, request: ModelRequest) -> ModelReply:
        """Answer the request, blocking the calling thread; see `acomplete`."""
        return _loop.run(self.acomplete(request))

    async def acomplete(self, request: ModelRequest) -> ModelReply:
        """Answer the request, with up to two retries within its `timeout`.

        Raises:
            ModelError: no answer is to be had; the message says what to do, and quotes no text.
        """
        return await self._retry(lambda left: self._attempt(request, left), request.timeout)

    async def aclose(self) -> None:
        """Close the clients of the running loop and of synchronous calls. The model can be used again.

        A client that was given is left open: it is its owner's.
        """
        await self._close_here()
        private = _loop.private()
        if (os.getpid(), private) in self._open:
            await asyncio.wrap_future(_loop.submit(self._close_here()))

    @abstractmethod
    async def _send(self, client: C, request: ModelRequest, **options: Any) -> Any:
        """Send the request through the SDK; `options` are those that its calls take, such as `timeout`."""

    @abstractmethod
    def _read(self, answer: Any) -> ModelReply:
        """Make a reply of the SDK's answer; the SDKs validate nothing, so any field may be amiss."""

    def _checked(self, client: C | None, options: dict[str, Any]) -> dict[str, Any]:
        whose = type(self).__name__
        if not self.model.strip():
            raise ConfigurationError(f"{whose} needs the id of a model, such as it stands in the provider's documents")
        if client is not None and options:
            raise ConfigurationError(f"{whose} takes a client or its options ({', '.join(options)}), not both")
        if client is not None and not inspect.iscoroutinefunction(getattr(client, "close", None)):
            raise ConfigurationError(
                f"{whose} needs the asynchronous client of the SDK, not {type(client).__name__}; "
                "synchronous calls go through it too"
            )
        if "max_retries" in options:
            raise ConfigurationError(f"{whose} retries by a policy of its own: leave max_retries out")
        if "http_client" in options:
            raise ConfigurationError(
                f"{whose} opens and closes its own HTTP clients; to use yours, give `client=` an SDK client around it"
            )
        try:
            inspect.signature(self.sdk).bind(**options)
        except TypeError as error:
            raise ConfigurationError(f"{whose}: {error}; options are those of the SDK's client") from None
        return options

    def _settings(self) -> dict[str, Any]:
        """The options that a client is opened with."""
        return self._options

    def _connect(self) -> C:
        client: C = self.sdk(**self._settings(), max_retries=0)
        return client

    async def _client(self) -> C:
        if self._given is not None:
            return self._given
        process, loop = os.getpid(), asyncio.get_running_loop()
        if (process, loop) not in self._open:
            for owner in list(self._open):
                if owner[0] == process and owner[1].is_closed():
                    self._open.pop(owner, None)
            lifetime = _lifetime(self._connect())
            self._open[process, loop] = (await anext(lifetime), lifetime)
        return self._open[process, loop][0]

    async def _close_here(self) -> None:
        entry = self._open.pop((os.getpid(), asyncio.get_running_loop()), None)
        if entry is not None:
            await entry[1].aclose()

    async def _attempt(self, request: ModelRequest, left: float | None) -> ModelReply:
        options = {} if left is None else {"timeout": left}
        try:
            # The SDK's timeout limits each read; a server that trickles could outlast it.
            async with asyncio.timeout(left):
                answer = await self._send(await self._client(), request, **options)
        except TimeoutError as error:
            raise ModelError(f"{self.name}: no answer within the request's time.", retryable=True) from error
        except Exception as error:
            raise self._failure(error) from error
        try:
            return self._read(answer)
        except (AttributeError, TypeError, ValueError, LookupError) as error:
            raise self._unreadable() from error

    def _failure(self, error: Exception) -> ModelError:
        status = getattr(error, "status_code", None)
        if isinstance(error, JSONDecodeError) or (status is not None and status < HTTPStatus.BAD_REQUEST):
            return self._unreadable(status)
        if status is not None:
            return self._refused(error, status)
        if self._given is not None and any(isinstance(e, RuntimeError) for e in (error, error.__cause__)):
            return ModelError(
                f"{self.name}: the client that was given belongs to another event loop. Use it on that loop only, or "
                "give the client's options instead of the client."
            )
        if hasattr(error, "request"):
            return self._unreachable(error)
        return ModelError(
            f"{self.name}: the SDK could not make the request ({type(error).__name__}). "
            f"Most likely there is no API key: set {self.key}, or give `api_key=`. If there is one, check the options."
        )

    def _refused(self, error: Any, status: int) -> ModelError:
        headers = error.response.headers
        said = headers.get("x-should-retry")
        retryable = said == "true" or (
            said != "false" and (status in _RETRYABLE or status >= HTTPStatus.INTERNAL_SERVER_ERROR)
        )
        otherwise = "The provider is in trouble: try again later." if retryable else "See the provider's documents."
        advice = _ADVICE.get(status, otherwise).format(key=self.key)
        request_id = str(getattr(error, "request_id", None) or "")
        which = f" (request {request_id})" if _REQUEST_ID.fullmatch(request_id) else ""
        return ModelError(
            f"{self.name}: {error.request.url.host} answered {status}{which}. {advice}",
            retryable=retryable,
            retry_after=_retry_after(headers),
            status=status,
        )

    def _unreachable(self, error: Any) -> ModelError:
        return ModelError(
            f"{self.name}: no connection to {error.request.url.host} ({type(error).__name__}). "
            "Check the network, proxies and `base_url=`.",
            retryable=True,
        )

    def _unreadable(self, status: int | None = None) -> ModelError:
        return ModelError(
            f"{self.name}: the answer is not of the form that the provider documents. Check `base_url=`: "
            "a proxy, or another API, may have answered.",
            status=status,
        )


def turns(request: ModelRequest) -> list[dict[str, str]]:
    """The request's messages as both APIs take them.

    Only `system` of the request speaks with authority: what is not the assistant's is the user's.
    """
    return [
        {"role": "assistant" if message.role == "assistant" else "user", "content": message.content}
        for message in request.messages
    ]


def tokens(usage: Any, field: str) -> int:
    """A count of the SDK's usage object; compatible servers leave fields out, or all of it."""
    return getattr(usage, field, None) or 0


async def _lifetime(client: C) -> AsyncGenerator[C]:
    """Holds a client open until its loop shuts down: loops close the generators that were started on them."""
    try:
        yield client
    finally:
        await client.close()


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """The seconds that the server asks to wait, in either header and any of the three notations."""
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    asked = headers.get("retry-after")
    seconds = _number(asked)
    if seconds is not None or asked is None:
        return seconds
    try:
        date = parsedate_to_datetime(asked)
    except ValueError:
        return None
    return max((date.replace(tzinfo=date.tzinfo or UTC) - datetime.now(UTC)).total_seconds(), 0)


def _number(value: str | None) -> float | None:
    try:
        number = float(value or "")
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None
