"""Anthropic's clients, guarded: through Bedrock and Vertex too, sync and async.

One middleware of the SDK's own kind sees every request that a client sends, and replaces the bytes of its
reply. The SDK makes everything else of those bytes: messages, parsed objects, raw responses, streams and tools.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import ref

import httpx2
from anthropic import AnthropicBedrock, AnthropicError, APIResponse, AsyncAnthropicBedrock, AsyncAPIResponse, Middleware
from anthropic._base_client import AsyncAPIClient, SyncAPIClient

from guardrails._outcomes import remember
from guardrails.dialects import ANTHROPIC
from guardrails.errors import ConfigurationError, GuardrailsError, UnguardedCall, UnsupportedReply
from guardrails.integrations._event_stream import AMAZON
from guardrails.integrations._framing import SSE
from guardrails.integrations._http import HttpCall
from guardrails.integrations._kept import Kept, close

if TYPE_CHECKING:
    from anthropic import APIRequest, AsyncCallNext, CallNext

    from guardrails._guard import Guard

Client = TypeVar("Client")
CLIENTS = (SyncAPIClient, AsyncAPIClient)

# Calls that return no text of a model's: figures, names, states and what the caller uploaded. Everything else is
# refused: results of batches, agents' sessions and files hold replies that this library cannot judge.
_ALLOWED = (
    "GET /v1/models", "GET /v1/models/*", "POST /v1/messages/count_tokens",
    "POST /v1/messages/batches", "GET /v1/messages/batches", "GET /v1/messages/batches/*",
    "POST /v1/messages/batches/*/cancel", "DELETE /v1/messages/batches/*",
    "POST /v1/files", "GET /v1/files", "GET /v1/files/*", "DELETE /v1/files/*",
)  # fmt: skip
# One step of a path, whoever reads it: many servers take %2F for a slash, and walk back at "..".
_ID = r"(?!\.\.?(?:/|\Z))[\w.:@-]+"
_PASSES = re.compile("|".join(_ALLOWED).replace("*", _ID), re.ASCII)
_SSE, _AMAZON = ("text/event-stream", SSE), ("application/vnd.amazon.eventstream", AMAZON)
_OF_THE_BODY = {"content-length", "content-encoding", "transfer-encoding"}


def wrap(guard: Guard, client: Client) -> Client:
    """A client of the same class, whose replies are guarded; the given one stays as it is.

    What is derived from it (`with_options`, `copy`, `with_middleware`) is guarded too, whatever middleware it is given.

    Raises:
        ConfigurationError: its base URL has a query, which would swallow every path that is asked for.
    """
    held: Any = client
    if "?" in str(held.base_url):
        raise ConfigurationError("the base URL of the client has a query. Give it in default_query=.")
    others = [entry for entry in held.middleware if not (isinstance(entry, GuardMiddleware) and entry.guard is guard)]
    bedrock = isinstance(client, AnthropicBedrock | AsyncAnthropicBedrock)
    # Outermost: a middleware of the user's may change a reply, fetch another one or answer itself, and what the
    # guard judges has to be what the caller gets.
    guarded = held.with_options(middleware=[GuardMiddleware(guard, is_bedrock=bedrock), *others])
    derive = guarded.copy

    def copy(**options: Any) -> Any:
        return wrap(guard, derive(**options))

    # No message threads, which the tool runner takes where it can: the server would hold the conversation, raw
    # drafts included, and the guard see but its end. Without them the SDK sends the whole of it each time.
    vars(guarded).update(copy=copy, with_options=copy, _supports_message_threads=False)
    return guarded  # type: ignore[no-any-return]


class GuardMiddleware(Middleware):
    """Guards the replies of one client's messages, and refuses calls whose replies it could not read."""

    def __init__(self, guard: Guard, *, is_bedrock: bool) -> None:
        self.guard = guard
        self._media_type, self._framing = _AMAZON if is_bedrock else _SSE

    def handle(self, request: APIRequest, call_next: CallNext) -> APIResponse[Any]:
        """Send the request and guard the reply."""
        if not _is_message(request):
            return call_next(request)
        self._call(request.json)  # one that cannot be read fails here: it is neither sent nor billed
        response = call_next(request)
        http = _answer(response, APIResponse)
        if http.is_success:  # the SDK retries any other, or raises it: there is no reply
            try:
                self._guard_reply(request, response, http)
            except BaseException:
                http.close()
                raise
        return response

    async def handle_async(self, request: APIRequest, call_next: AsyncCallNext) -> AsyncAPIResponse[Any]:
        """As `handle`, on the running event loop."""
        if not _is_message(request):
            return await call_next(request)
        self._call(request.json)
        response = await call_next(request)
        http = _answer(response, AsyncAPIResponse)
        if http.is_success:
            try:
                await self._aguard_reply(request, response, http)
            except BaseException:
                await http.aclose()
                raise
        return response

    def _guard_reply(self, request: APIRequest, response: APIResponse[Any], http: httpx2.Response) -> None:
        call = self._call(_sent(request, http))
        if self._is_stream(request, http):
            body = _Body(call, http)
            _put(response, _with_body(http, stream=body))
            body.owner = ref(response.http_response)
            return
        with _unretried():
            content = call.whole(http.read())
        _put(response, http if content is http.content else _with_body(http, content=content))
        _remember(response.http_response, call)
        with suppress(Exception):  # the caller's own parsing raises it
            _remember(response.parse(), call)

    async def _aguard_reply(self, request: APIRequest, response: AsyncAPIResponse[Any], http: httpx2.Response) -> None:
        call = self._call(_sent(request, http))
        if self._is_stream(request, http):
            body = _AsyncBody(call, http)
            _put(response, _with_body(http, stream=body))
            body.owner = ref(response.http_response)
            return
        with _unretried():
            content = await call.awhole(await http.aread())
        _put(response, http if content is http.content else _with_body(http, content=content))
        _remember(response.http_response, call)
        with suppress(Exception):
            _remember(await response.parse(), call)

    def _call(self, body: Any) -> HttpCall:
        return HttpCall(self.guard, ANTHROPIC, body, self._framing)

    def _is_stream(self, request: APIRequest, http: httpx2.Response) -> bool:
        """Whether the reply comes in events; a server may answer a request for a stream with one JSON document."""
        return request.stream and http.headers.get("content-type", "").lower().startswith(self._media_type)


def _is_message(request: APIRequest) -> bool:
    """Whether it asks for a message. The SDK rewrites the paths of Bedrock and Vertex further in.

    Raises:
        UnguardedCall: it is neither that nor allowed.
    """
    call = f"{request.method.upper()} {request.url.partition('?')[0]}"
    if call == "POST /v1/messages" and isinstance(request.json, Mapping):
        if not request.json.get("thread"):
            return True
        call = f"{call} in a thread, whose conversation only the server has,"  # and it would keep the raw drafts
    if _PASSES.fullmatch(call):
        return False
    raise UnguardedCall(
        f"{call} could return text that no guard can judge with its conversation, so it was not sent. Make this call "
        "with the client that was wrapped, and review what it returns with guard.review."
    )


def _answer(response: Any, expected: type) -> httpx2.Response:
    if not isinstance(response, expected):
        raise UnsupportedReply(
            f"a middleware of the client, or cast_to, returned {type(response).__name__} in place of the SDK's "
            "response. Return what call_next returned, with its http_response changed."
        )
    return response.http_response  # type: ignore[attr-defined,no-any-return]


def _sent(request: APIRequest, http: httpx2.Response) -> Mapping[str, Any]:
    """The JSON that was sent: a middleware further in may have changed what the caller gave."""
    try:
        body = json.loads(http.request.content)
    except (RuntimeError, ValueError):  # a reply from a cache, or redirected
        body = None
    return body if isinstance(body, dict) else request.json  # type: ignore[return-value]


def _with_body(http: httpx2.Response, **body: Any) -> httpx2.Response:
    kept = [(name, value) for name, value in http.headers.multi_items() if name.lower() not in _OF_THE_BODY]
    made = httpx2.Response(http.status_code, headers=kept, extensions=http.extensions, history=http.history, **body)
    with suppress(RuntimeError):  # a response that a middleware made may be without one
        made.request = http.request
    with suppress(RuntimeError):  # known once it was read
        made.elapsed = http.elapsed
    return made


def _put(response: Any, http: httpx2.Response) -> None:
    """Give a response what it is read from. What it was parsed to before would come out instead, so that goes."""
    response.http_response = http
    response._parsed_by_type.clear()  # noqa: SLF001 - there is no public way


@contextmanager
def _unretried() -> Iterator[None]:
    """Cut the SDK's own errors out from behind ours: it sends, and bills, a call again that fails with one of those."""
    try:
        yield
    except AnthropicError as error:
        raise GuardrailsError(f"the guard failed with {type(error).__name__}; the reply is not released.") from None
    except Exception as error:
        _unchain(error)
        raise


def _unchain(error: BaseException) -> None:
    waiting, seen = [error], {id(error)}
    while waiting:
        held = waiting.pop()
        for name in ("__cause__", "__context__"):
            behind = getattr(held, name)
            if isinstance(behind, AnthropicError):
                setattr(held, name, None)
            elif behind is not None and id(behind) not in seen:
                seen.add(id(behind))
                waiting.append(behind)


class _Body(httpx2.SyncByteStream):
    """The guarded bytes of a stream; when it ends, `outcome_of` finds them by the response that it belongs to."""

    owner: ref[httpx2.Response]  # weak, so that a dropped stream closes at once

    def __init__(self, call: HttpCall, http: httpx2.Response) -> None:
        self._call = call
        self._http = http
        self._chunks = call.stream(http.iter_bytes())

    @property
    def elapsed(self) -> timedelta:
        """The time that the call took."""
        return self._http.elapsed

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._chunks
        finally:
            _remember(self.owner(), self._call)

    def close(self) -> None:
        """End the review, and close the connection."""
        try:
            with suppress(ValueError):  # another thread reads: it will find the connection closed
                self._chunks.close()
        finally:
            self._http.close()


class _AsyncBody(httpx2.AsyncByteStream):
    """As `_Body`, on the running event loop."""

    owner: ref[httpx2.Response]

    def __init__(self, call: HttpCall, http: httpx2.Response) -> None:
        self._call = call
        self._http = http
        self._chunks = call.astream(http.aiter_bytes())

    @property
    def elapsed(self) -> timedelta:
        """The time that the call took."""
        return self._http.elapsed

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async with Kept(self._chunks):
                async for chunk in self._chunks:
                    yield chunk
        finally:
            _remember(self.owner(), self._call)

    async def aclose(self) -> None:
        """End the review, and close the connection."""
        try:
            await close(self._chunks)
        finally:
            await self._http.aclose()


def _remember(reply: Any, call: HttpCall) -> None:
    if reply is not None and call.outcomes:
        remember(reply, call.outcomes)
