"""`Guard.wrap` for google-genai's client: Gemini through its own API and through Vertex AI, sync and async.

The SDK has no middleware, but all that a client offers is made of one object, its API client. A wrapped client is a
new one of the same class, made of a stand-in: it guards what comes through, refuses what it does not know, and sends
the rest with the API client of the one that was given.
"""

from __future__ import annotations

import copy
import json
import re
import weakref
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator, Mapping, Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from google.genai import Client
from google.genai.client import AsyncClient
from google.genai.types import HttpOptions

from guardrails._outcomes import remember
from guardrails.dialects import GOOGLE
from guardrails.errors import ConfigurationError, UnguardedCall
from guardrails.integrations._framing import Frame
from guardrails.integrations._http import HttpCall
from guardrails.integrations._kept import Kept, close

if TYPE_CHECKING:
    from guardrails._guard import Guard

C = TypeVar("C", Client, AsyncClient)
CLIENTS = (Client, AsyncClient)

# Calls that return no text that a model wrote for a reader: figures, vectors, names, states and what the caller sent.
# Any other is refused: images, videos and speech, files that may hold a batch's replies, agents' interactions, tokens
# for sessions that no guard sees. MODEL is a model's name, an endpoint's or a tuned model's; ID one step of a path.
_PASSES = (
    "post MODEL:countTokens", "post MODEL:computeTokens",
    "post MODEL:embedContent", "post MODEL:batchEmbedContents", "post MODEL:asyncBatchEmbedContent",
    r"post publishers/google/models/[\w.-]*embedding[\w.@-]*:predict",
    "get models", "get tunedModels", "get publishers/google/models", "get MODEL", "patch MODEL", "delete MODEL",
    r"post upload/\{api_version\}/files", "post files:register", "get files", "get files/ID", "delete files/ID",
    "post cachedContents", "get cachedContents",
    "get cachedContents/ID", "patch cachedContents/ID", "delete cachedContents/ID",
    "post MODEL:batchGenerateContent", "post batchPredictionJobs", "get BATCHES",
    "get BATCHES/ID", "delete BATCHES/ID", "post BATCHES/ID:cancel",
    "post tuningJobs", "post tunedModels", "get tuningJobs", "get tuningJobs/ID", "get tunedModels/ID/operations/ID",
    "post tuningJobs/ID:cancel", "post tunedModels/ID:cancel",
    "post fileSearchStores", "get fileSearchStores", "get fileSearchStores/ID", "delete fileSearchStores/ID",
    r"post upload/\{api_version\}/fileSearchStores/ID:uploadToFileSearchStore", "post fileSearchStores/ID:importFile",
    "get fileSearchStores/ID/documents",
    "get fileSearchStores/ID/documents/ID", "delete fileSearchStores/ID/documents/ID",
    "get fileSearchStores/ID/operations/ID", "get fileSearchStores/ID/upload/operations/ID",
)  # fmt: skip
_MODEL = "(?:(?:publishers/ID/)?models|tunedModels|endpoints)/ID"
_BATCHES = "(?:batches|batchPredictionJobs)"
# Whoever reads it: many servers take %2F for a slash, and walk back at "..".
_ID = r"(?!\.\.?(?:[/:]|\Z))[\w.@-]+"
_CALLS = "|".join(_PASSES).replace("MODEL", _MODEL).replace("BATCHES", _BATCHES).replace("ID", _ID)
_PASSING = re.compile(_CALLS, re.ASCII)
_PROJECT = re.compile(rf"projects/(?:{_ID}:)?{_ID}/locations/{_ID}/")
# What the SDK asks of an API client besides sending. Whatever else it asks for could send past the guard.
_OPEN = frozenset({
    "vertexai", "api_key", "project", "location", "custom_base_url", "get_read_only_http_options", "_http_options",
    "upload_file", "async_upload_file", "_get_async_auth_lock",
})  # fmt: skip


def wrap(guard: Guard, client: C) -> C:
    """A client of the same class, whose replies are guarded; the given one stays as it is, and sends for both.

    `client.aio` is guarded too, and may be given alone.

    Raises:
        ConfigurationError: it is guarded already.
    """
    if isinstance(client._api_client, _Guarded):  # noqa: SLF001 - there is no public way
        raise ConfigurationError("this client is guarded already. Wrap the client that it was made of.")
    kind: type[Any] = type(client)
    stand_in: Any = _Guarded(guard, client)
    if isinstance(client, AsyncClient):
        return kind(stand_in)  # type: ignore[no-any-return]
    hooks = {
        "_get_api_client": staticmethod(lambda **_: stand_in),
        # The SDK's closes; here that would close what the given client still sends with.
        "__del__": lambda _: None,
        **{name: getattr(kind, name) for name in ("__module__", "__qualname__", "__doc__")},
    }
    made: Any = object.__new__(type(kind.__name__, (kind,), hooks))
    Client.__init__(made, debug_config=client._debug_config)  # noqa: SLF001 - there is no public way
    return made  # type: ignore[no-any-return]


class _Guarded:
    """Stands in for an API client of the SDK: the four ways of sending, and what is in `_OPEN`."""

    def __init__(self, guard: Guard, client: Any) -> None:
        self._guard = guard
        self._client = client  # which closes what it sends with when nobody holds it any more
        self._api = client._api_client  # noqa: SLF001 - there is no public way

    def request(self, http_method: str, path: str, request_dict: Any, http_options: Any = None) -> Any:
        """Send, and guard the reply."""
        call = self._call("generateContent", http_method, path, request_dict, http_options)
        response = self._api.request(http_method, path, request_dict, http_options)
        if call is None:
            return _without_replies(response)
        return call.released(response, call.http.whole(_content(response)))

    async def async_request(self, http_method: str, path: str, request_dict: Any, http_options: Any = None) -> Any:
        """As `request`, on the running event loop."""
        call = self._call("generateContent", http_method, path, request_dict, http_options)
        response = await self._api.async_request(http_method, path, request_dict, http_options)
        if call is None:
            return _without_replies(response)
        return call.released(response, await call.http.awhole(_content(response)))

    def request_streamed(
        self, http_method: str, path: str, request_dict: Any, http_options: Any = None
    ) -> Generator[Any, None, None]:
        """Send, and guard the stream."""
        call = self._call("streamGenerateContent", http_method, path, request_dict, http_options)
        if call is None:
            _refuse(http_method, path)
        return call.stream(self._api.request_streamed(http_method, path, request_dict, http_options))

    async def async_request_streamed(
        self, http_method: str, path: str, request_dict: Any, http_options: Any = None
    ) -> AsyncGenerator[Any, None]:
        """As `request_streamed`, on the running event loop."""
        call = self._call("streamGenerateContent", http_method, path, request_dict, http_options)
        if call is None:
            _refuse(http_method, path)
        return call.astream(await self._api.async_request_streamed(http_method, path, request_dict, http_options))

    def close(self) -> None:
        """Close what the given client sends with."""
        self._api.close()

    async def aclose(self) -> None:
        """As `close`, for the async client."""
        await self._api.aclose()

    def _call(self, verb: str, method: str, path: str, body: Any, options: Any) -> _Call | None:
        """The guarded call; None for one that is allowed.

        Raises:
            UnguardedCall: it is neither.
        """
        _latest.set(None)
        asked = f"{method.lower()} {_PROJECT.sub('', re.split('[?#]', path)[0], count=1)}"
        if not (asked.startswith("post ") and asked.endswith(f":{verb}")):
            if not _PASSING.fullmatch(asked) or self._is_bent(options):
                _refuse(method, path)
            return None
        # As the SDK builds it: options may add to the body. The copy, because building takes things out.
        sent = self._api._build_request(method, path, copy.deepcopy(body), options).data  # noqa: SLF001
        if sent.get("continuationToken") or sent.get("continuation_token"):
            raise UnguardedCall("a continuation token asks for the rest of a reply, and it cannot be judged alone.")
        return _Call(HttpCall(self._guard, GOOGLE, sent, _DOCUMENTS))

    def _is_bent(self, options: Any) -> bool:
        """Whether something that goes before the path in the address would make a query of the path."""
        own, given = self._api._http_options, HttpOptions.model_validate(options or {})  # noqa: SLF001
        parts = (own.api_version, given.api_version, self._api.project, self._api.location)
        return any(mark in (part or "") for part in parts for mark in "?#")

    def _verify_response(self, response_model: Any) -> None:
        """The SDK shows here what it made of a response that it has just been given."""
        call = _latest.get()
        _latest.set(None)
        if call is not None:
            call.belongs(response_model)

    def __getattr__(self, name: str) -> Any:
        if name in _OPEN:
            return getattr(self._api, name)
        if name.startswith("__"):
            raise AttributeError(name)
        raise UnguardedCall(
            f"what was called asks for {name}, and could return text that no guard has seen: live sessions, "
            f"interactions, agents and downloads do. Nothing was sent. {_ADVICE}"
        )


class _Call:
    """One guarded call, and the replies that the SDK made of its responses: `outcome_of` finds them."""

    def __init__(self, http: HttpCall) -> None:
        self.http = http
        self._replies: list[weakref.ref[Any]] = []

    def released(self, response: Any, content: bytes) -> Any:
        """The response with this content; the very same one where nothing was revised."""
        _latest.set(self)
        body = content.decode()
        return response if body == response.body else response.model_copy(update={"body": body})

    def stream(self, responses: Generator[Any, None, None]) -> Generator[Any, None, None]:
        """The guarded chunks of a stream, which the SDK has cut already."""
        latest: list[Any] = []

        def contents() -> Iterator[bytes]:
            for response in responses:
                latest[:] = [response]
                yield _content(response)

        guarded: Any = self.http.stream(contents())
        try:
            for content in guarded:
                yield self.released(latest[0], content)
        finally:
            guarded.close()
            responses.close()
            self._ended()

    async def astream(self, responses: AsyncGenerator[Any, None]) -> AsyncGenerator[Any, None]:
        """As `stream`, on the running event loop."""
        latest: list[Any] = []

        async def contents() -> AsyncIterator[bytes]:
            async for response in responses:
                latest[:] = [response]
                yield _content(response)

        guarded: Any = self.http.astream(contents())
        try:
            async with Kept(guarded):
                async for content in guarded:
                    yield self.released(latest[0], content)
        finally:
            await close(responses)
            self._ended()

    def belongs(self, reply: Any) -> None:
        """Let `outcome_of` find this call's outcomes by the reply: of a chunk, once the stream was read to its end."""
        if self.http.outcomes:
            remember(reply, self.http.outcomes)
        else:
            self._replies.append(weakref.ref(reply))

    def _ended(self) -> None:
        for held in self._replies:
            if (reply := held()) is not None and self.http.outcomes:
                remember(reply, self.http.outcomes)


# The call whose response the SDK was given last, in this thread or task: it shows what it makes of it right after.
_latest: ContextVar[_Call | None] = ContextVar("_latest", default=None)


class _Documents:
    """The framing of what the SDK has cut: each chunk of bytes is one JSON document."""

    def decoder(self) -> _Documents:
        return self

    def feed(self, chunk: bytes) -> Sequence[Frame]:
        return (Frame(chunk, None, json.loads(chunk)),)

    def end(self) -> Sequence[Frame]:
        return ()

    def frame(self, data: Any, name: str | None = None) -> Frame:
        return Frame(json.dumps(data).encode(), name, data)


_DOCUMENTS = _Documents()
_ADVICE = "Make this call with the client that was wrapped, and review what it returns with guard.review()."


def _content(response: Any) -> bytes:
    return (response.body or "").encode()


def _without_replies(response: Any) -> Any:
    """A response of an allowed call; a finished batch may bring its replies along.

    Raises:
        UnguardedCall: it does.
    """
    if _holds_replies(json.loads(response.body or "{}")):
        raise UnguardedCall(f"the batch holds replies that no guard has seen, and they are not released. {_ADVICE}")
    return response


def _holds_replies(value: Any) -> bool:
    if isinstance(value, Mapping):
        return "inlinedResponses" in value or any(
            _holds_replies(held) for name, held in value.items() if name != "inlinedEmbedContentResponses"
        )
    return isinstance(value, list) and any(map(_holds_replies, value))


def _refuse(method: str, path: str) -> NoReturn:
    raise UnguardedCall(
        f"{method.upper()} {path.partition('?')[0]} could return text that no guard has seen, so it was not sent. "
        f"Guarded are generateContent and streamGenerateContent. {_ADVICE}"
    )
