"""`Guard.wrap` for the OpenAI SDK's clients, Azure's among them: chat completions and responses come out guarded.

The SDK has no middleware, so a wrapped client is a copy of the client whose class overrides the two hooks that
every request goes through: one before each attempt is sent, one when the reply has come. Whatever the SDK makes of
a reply (parsed objects, raw responses, streams, helpers on top of them), it makes of the guarded bytes. Web sockets
do not all come by the first hook, but they all have the client complete their address: there they are refused.
"""

from __future__ import annotations

import contextlib
import re
import weakref
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from openai import AsyncOpenAI, OpenAI

from guardrails._outcomes import remember
from guardrails.dialects import CHAT, RESPONSES, Dialect
from guardrails.errors import ConfigurationError, UnguardedCall
from guardrails.integrations._http import HttpCall
from guardrails.integrations._httpx import library_of, like, stream_class
from guardrails.integrations._kept import Kept, close

if TYPE_CHECKING:
    from guardrails._guard import Guard

C = TypeVar("C", bound=OpenAI | AsyncOpenAI)
CLIENTS = (OpenAI, AsyncOpenAI)

# In which dialect they answer, and what ends a stream after its last event.
_GUARDED: Mapping[str, tuple[Dialect, bytes]] = {
    "post /chat/completions": (CHAT, b"data: [DONE]\n\n"),
    "post /responses": (RESPONSES, b""),
}
# Calls that return no text that a model wrote for a reader. Any other is refused: stored replies come unguarded
# (`responses.retrieve`, `conversations.items`, a batch's output file), and so do older APIs, sounds, images and
# web sockets.
_PASSES = (
    "get /models", "get /models/ID(?:%2FID)*", "delete /models/ID",
    "post /embeddings", "post /moderations", "post /responses/input_tokens",
    "get /batches", "post /batches", "get /batches/ID", "post /batches/ID/cancel",
    "get /files", "post /files", "get /files/ID", "delete /files/ID",
    "post /uploads", "post /uploads/ID/parts", "post /uploads/ID/complete", "post /uploads/ID/cancel",
    "post /conversations", "get /conversations/ID", "post /conversations/ID", "delete /conversations/ID",
    "delete /chat/completions/ID", "delete /responses/ID",
)  # fmt: skip
# One step of a path, whoever reads it: many servers take %2F for a slash, and walk back at "..".
_ID = r"(?!\.\.?(?:[/%]|\Z))[\w.:@-]+"
_PASSING = re.compile("|".join(_PASSES).replace("ID", _ID), re.ASCII)
_DEPLOYMENT = re.compile(rf"\A/deployments/{_ID}(?=/)", re.ASCII)


def wrap(guard: Guard, client: C) -> C:
    """The same client, guarded: same class to `isinstance`, same transport, options and headers.

    Raises:
        ConfigurationError: it is guarded already.
    """
    if isinstance(client, _Sync | _Async):
        raise ConfigurationError("this client is guarded already. Wrap the client that it was made of.")
    kind: type[Any] = type(client)
    hooks = _Sync if issubclass(kind, OpenAI) else _Async
    names = {
        "_guardrails": guard,
        "__module__": kind.__module__,
        "__qualname__": kind.__qualname__,
        "__doc__": kind.__doc__,
    }
    made: Any = client.copy()
    # Copies are made by the class, so that those of a wrapped client (`with_options`) are guarded as well.
    made.__class__ = type(kind.__name__, (hooks, kind), names)
    return made  # type: ignore[no-any-return]


class _Sync(OpenAI):
    """The hooks of a client."""

    _guardrails: Guard

    def _prepare_options(self, options: Any) -> Any:
        return _prepared(self._guardrails, super()._prepare_options(options))

    def _process_response(self, *, options: Any, response: Any, stream: bool, **others: Any) -> Any:
        call = options.post_parser
        if isinstance(call, _Call):
            events = _has_events(response, stream)
            response = call.streamed(response) if events else call.whole(response)
        return super()._process_response(options=options, response=response, stream=stream, **others)

    def _build_request(self, options: Any, **others: Any) -> Any:
        asked = _path(options)
        return _as_asked(super()._build_request(options, **others), asked)

    def _websocket_query_params(self, url: Any, extra_query: Any) -> NoReturn:  # noqa: ARG002 - the SDK's signature
        _refuse("GET", url.path)


class _Async(AsyncOpenAI):
    """The hooks of an async client."""

    _guardrails: Guard

    async def _prepare_options(self, options: Any) -> Any:
        return _prepared(self._guardrails, await super()._prepare_options(options))

    async def _process_response(self, *, options: Any, response: Any, stream: bool, **others: Any) -> Any:
        call = options.post_parser
        if isinstance(call, _Call):
            events = _has_events(response, stream)
            response = await (call.astreamed(response) if events else call.awhole(response))
        return await super()._process_response(options=options, response=response, stream=stream, **others)

    def _build_request(self, options: Any, **others: Any) -> Any:
        asked = _path(options)
        return _as_asked(super()._build_request(options, **others), asked)

    def _websocket_query_params(self, url: Any, extra_query: Any) -> NoReturn:  # noqa: ARG002 - the SDK's signature
        _refuse("GET", url.path)


def _prepared(guard: Guard, options: Any) -> Any:
    """The options of one attempt, with the guarded call where it is one.

    Raises:
        UnguardedCall: its reply would not be guarded.
    """
    path = _path(options)
    asked = f"{options.method.lower()} {path}"
    if asked not in _GUARDED:
        if not _PASSING.fullmatch(asked):
            _refuse(options.method, path)
        return options
    if not isinstance(options.json_data, Mapping):
        raise UnguardedCall(f"the body of {asked} is no JSON object that a guard can read, so it was not sent.")
    body = {**options.json_data, **(options.extra_json or {})}
    if body.get("background"):
        raise UnguardedCall(
            "a response made with background=True is fetched later, past the guard, so it was not asked for. Leave out "
            "background, or use the client that was wrapped and review the text with guard.review()."
        )
    dialect, end = _GUARDED[asked]
    options.post_parser = _Call(HttpCall(guard, dialect, body), end, options.post_parser)
    return options


def _path(options: Any) -> str:
    return _DEPLOYMENT.sub("", "/" + options.url.partition("?")[0].lstrip("/"))


def _as_asked(request: Any, path: str) -> Any:
    """The request as it will be sent: a base URL with a query would make one of the path that was checked.

    Raises:
        UnguardedCall: it goes elsewhere.
    """
    sent = request.url.raw_path.partition(b"?")[0].decode()
    if not sent.endswith(path):
        _refuse(request.method, sent)
    return request


def _refuse(method: str, path: str) -> NoReturn:
    raise UnguardedCall(
        f"{method.upper()} {path} could return text that no guard has seen, so it was not sent. Guarded are chat "
        "completions and responses; for anything else use the client that was wrapped."
    )


def _has_events(response: Any, stream: bool) -> bool:  # noqa: FBT001 - the SDK's value
    """Whether the reply is a stream of events: by its own word; by what was asked for where it says nothing."""
    kind = response.headers.get("content-type")
    return stream if kind is None else "event-stream" in kind


class _Call:
    """One guarded call. It stands in the place of the SDK's own `post_parser`, which is given each parsed reply."""

    def __init__(self, http: HttpCall, end: bytes, parser: Any) -> None:
        self.http = http
        self._end = end
        self._parser = parser if callable(parser) else None

    def __call__(self, parsed: Any) -> Any:
        made = parsed if self._parser is None else self._parser(parsed)
        self.remember(made)
        return made

    def remember(self, reply: Any) -> None:
        """Let `outcome_of` find the outcomes, once there are any."""
        if self.http.outcomes:
            remember(reply, self.http.outcomes)

    def whole(self, response: Any) -> Any:
        """The response with the guarded reply."""
        return self._made(response, self.http.whole(response.read()))

    async def awhole(self, response: Any) -> Any:
        """As `whole`, on the running event loop."""
        return self._made(response, await self.http.awhole(await response.aread()))

    def streamed(self, response: Any) -> Any:
        """The response with a guarded stream, which is read, judged and released as it is consumed."""
        made = self._held(response, _SyncBytes, library_of(response).SyncByteStream)
        if response.is_closed:  # it was read already, so its reader expects as much
            made.read()
        return made

    async def astreamed(self, response: Any) -> Any:
        """As `streamed`, on the running event loop."""
        made = self._held(response, _AsyncBytes, library_of(response).AsyncByteStream)
        if response.is_closed:
            await made.aread()
        return made

    def end(self) -> tuple[bytes, ...]:
        """What a stream still lacks that ended with a fallback: who reads the bytes waits for it."""
        return (self._end,) if any(outcome.blocked for outcome in self.http.outcomes) else ()

    def ended(self, response: Any, made: Any) -> None:
        """Say of the response that was made how long it took, and what came of it; it may be gone."""
        if made is not None:
            with contextlib.suppress(RuntimeError):  # a transport of the caller's own may take no time
                made.elapsed = response.elapsed
            self.remember(made)

    def _held(self, response: Any, kind: Any, base: Any) -> Any:
        held = stream_class(kind, base)(response, self)
        made = like(response, stream=held)
        held.owner = weakref.ref(made)
        return made

    def _made(self, response: Any, content: bytes) -> Any:
        made = like(response, content=content)
        self.ended(response, made)
        return made


class _SyncBytes:
    """The guarded bytes of a streamed reply. Closing them ends the review, and then closes the reply."""

    def __init__(self, response: Any, call: _Call) -> None:
        self._response, self._call = response, call
        self._guarded: Any = call.http.stream(response.iter_bytes())
        self.owner: Any = None

    def __iter__(self) -> Iterator[bytes]:
        yield from self._guarded
        yield from self._call.end()

    def close(self) -> None:
        try:
            with contextlib.suppress(ValueError):  # another thread reads: it will find the connection closed
                self._guarded.close()
        finally:
            self._response.close()
            self._call.ended(self._response, self.owner())


class _AsyncBytes:
    """As `_SyncBytes`, on the running event loop."""

    def __init__(self, response: Any, call: _Call) -> None:
        self._response, self._call = response, call
        self._guarded: Any = call.http.astream(response.aiter_bytes())
        self.owner: Any = None

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async with Kept(self._guarded):
            async for chunk in self._guarded:
                yield chunk
        for chunk in self._call.end():
            yield chunk

    async def aclose(self) -> None:
        try:
            await close(self._guarded)
        finally:
            await self._response.aclose()
            self._call.ended(self._response, self.owner())
