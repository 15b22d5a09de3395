"""One guarded HTTP call: its JSON request is read, and the reply's bytes come out guarded. Knows no SDK.

Working on bytes is what leaves no way around: whatever an SDK makes of a reply (parsed objects, raw
responses, streams of events, helpers on top of them), it makes it of these bytes.
"""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Generator, Iterable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from guardrails._overheard import Overheard
from guardrails._released import AsyncReleased, Released
from guardrails.dialects import Dialect, Reply, read
from guardrails.errors import Blocked, UnsupportedReply
from guardrails.exchange import Exchange
from guardrails.integrations._framing import SSE, Decoder, Frame, FramedEvents, Framing

if TYPE_CHECKING:
    from guardrails._guard import Guard
    from guardrails.outcome import Outcome

_log = logging.getLogger("guardrails")


class HttpCall:
    """A call that was sent with this JSON body, and is answered in this dialect.

    Made before the request goes out, because a caller may change the conversation meanwhile. `outcomes`
    stands once the reply was released or blocked: one for each alternative; empty in monitor mode.
    """

    def __init__(self, guard: Guard, dialect: Dialect, body: Mapping[str, Any], framing: Framing = SSE) -> None:
        self._guard = guard
        self._dialect = dialect
        self._framing = framing
        self._exchange = self._read_exchange(body)
        # A fallback text would not be the data that was asked for, and a parser would choke on it.
        self._raises = guard.on_blocked == "raise" or dialect.asks_for_data(body)
        self.outcomes: tuple[Outcome, ...] = ()

    def whole(self, content: bytes) -> bytes:
        """The reply's JSON, guarded; the very same bytes where nothing was revised.

        Raises:
            Blocked: the reply may not be released.
            AuditError: the record could not be written; nothing is released.
            UnsupportedReply: it may hold text that cannot be judged.
        """
        if not self._guard.enforces:
            return self._watched(content)
        reply = self._read(content)
        return self._released(reply, content, self._guard.reviewed(self._exchange, reply))

    async def awhole(self, content: bytes) -> bytes:
        """As `whole`, on the running event loop."""
        if not self._guard.enforces:
            return self._watched(content)
        reply = self._read(content)
        return self._released(reply, content, await self._guard.areviewed(self._exchange, reply))

    def stream(self, chunks: Iterable[bytes]) -> Generator[bytes, None, None]:
        """The bytes of a stream of events, guarded: held back, judged, and released window by window.

        Closing the iterator ends the review, with a record; closing `chunks` is left to their owner.
        """
        decoder, events = self._framing.decoder(), FramedEvents(self._dialect.events(), self._framing)
        if not self._guard.enforces:
            return _overheard(chunks, decoder, self._guard.overhear(self._exchange, events))

        def frames() -> Iterator[Frame]:
            for chunk in chunks:
                yield from decoder.feed(chunk)
            yield from decoder.end()

        # Opened now, not when the first byte is asked for: the caller's labels are in force now.
        return _raw(self._guard.streamed(self._exchange, frames(), events, raises=self._raises, done=self._done))

    def astream(self, chunks: AsyncIterable[bytes]) -> AsyncGenerator[bytes, None]:
        """As `stream`, on the running event loop."""
        decoder, events = self._framing.decoder(), FramedEvents(self._dialect.events(), self._framing)
        if not self._guard.enforces:
            return _aoverheard(chunks, decoder, self._guard.overhear(self._exchange, events))

        async def frames() -> AsyncIterator[Frame]:
            async for chunk in chunks:
                for frame in decoder.feed(chunk):
                    yield frame
            for frame in decoder.end():
                yield frame

        return _araw(self._guard.astreamed(self._exchange, frames(), events, raises=self._raises, done=self._done))

    def _done(self, outcomes: tuple[Outcome, ...]) -> None:
        self.outcomes = outcomes

    def _read(self, content: bytes) -> Reply:
        try:
            value = json.loads(content)
        except (ValueError, RecursionError):
            raise UnsupportedReply("the reply is no JSON, and what it says cannot be judged.") from None
        return read(value, self._dialect)

    def _read_exchange(self, body: Mapping[str, Any]) -> Exchange:
        try:
            return self._dialect.exchange(body)
        except Exception as error:
            if self._guard.enforces:
                raise
            _log.error("monitor mode cannot read a request: %s", type(error).__name__, exc_info=error)
            return Exchange()

    def _watched(self, content: bytes) -> bytes:
        """In monitor mode whatever is wrong is the log's, not the caller's."""
        try:
            self._guard.watch(self._exchange, self._read(content))
        except Exception as error:  # noqa: BLE001 - a reply may be of any form
            _log.error("monitor mode cannot review a reply: %s", type(error).__name__, exc_info=error)
        return content

    def _released(self, reply: Reply, content: bytes, outcomes: tuple[Outcome, ...]) -> bytes:
        self.outcomes = outcomes
        for outcome in outcomes:
            if outcome.blocked and self._raises:
                raise Blocked(outcome)
        value = outcomes[0].reply
        return content if value is reply.value else json.dumps(value).encode()


def _raw(frames: Released[Frame]) -> Generator[bytes, None, None]:
    with frames:
        for frame in frames:
            yield frame.raw


async def _araw(frames: AsyncReleased[Frame]) -> AsyncGenerator[bytes, None]:
    async with frames:
        async for frame in frames:
            yield frame.raw


def _overheard(chunks: Iterable[bytes], decoder: Decoder, heard: Overheard) -> Generator[bytes, None, None]:
    try:
        for chunk in chunks:
            heard.hear(partial(decoder.feed, chunk))
            yield chunk
    finally:
        heard.hear(decoder.end)
        heard.end()


async def _aoverheard(chunks: AsyncIterable[bytes], decoder: Decoder, heard: Overheard) -> AsyncGenerator[bytes, None]:
    try:
        async for chunk in chunks:
            heard.hear(partial(decoder.feed, chunk))
            yield chunk
    finally:
        heard.hear(decoder.end)
        heard.end()
