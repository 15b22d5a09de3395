"""The guard: what app developers touch. Other people's calls go in, guarded ones come out."""

from __future__ import annotations

import functools
import os
from collections.abc import AsyncIterable, Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Literal, ParamSpec, Self, TypeVar, overload

from guardrails import integrations
from guardrails._assemble import DEFAULT_AUDIT, constitution_from, judges_from, one_of, reviser_from, trail_from
from guardrails._budget import Budget
from guardrails._decorate import ExchangeFrom
from guardrails._guarded import Guarded
from guardrails._monitor import behind
from guardrails._overheard import Overheard
from guardrails._policy import OnError
from guardrails._recorder import Recorder
from guardrails._released import AsyncReleased, Done, Released, readable
from guardrails._replies import Replies, single
from guardrails._setup import Setup
from guardrails._streams import Streams
from guardrails.audit import REDACTIONS, AuditTrail, Redaction
from guardrails.constitution import Constitution
from guardrails.dialects import TEXT, Events, Reply
from guardrails.errors import ConfigurationError
from guardrails.exchange import Exchange, Message
from guardrails.judges import Judge
from guardrails.models import Model, in_thread, model_from
from guardrails.outcome import Outcome
from guardrails.revisers import Reviser

P = ParamSpec("P")
R = TypeVar("R")
C = TypeVar("C")


class Guard:
    """Guards chat completions with a constitution.

    >>> guard = Guard("finance", judge="rules", allow_unjudged=True, audit=None)
    >>> outcome = guard.review("Is this safe?", "This fund is risk-free.")
    >>> outcome.status, outcome.text == outcome.original
    (<Status.REVISED: 'revised'>, False)

    Args:
        constitution: A shipped name (`finance`, `medical`, `legal`, `general`), a path, or a `Constitution`.
        model: Judges and revises unless `judge` or `reviser` say otherwise: `"provider:model-id"`, a
            `Model`, or a callable. Default: none; then only rules judge.
        judge: A `Judge`, several, or `"rules"` for rules alone. The rules run whatever the judge.
        reviser: A `Reviser`, or `"rules"` for the constitution's own fixes alone. The fixes go first.
        audit: Where records go: a URL, an `AuditTrail`, or None for no trail. The default can be moved
            with the environment variable GUARDRAILS_AUDIT.
        mode: `"enforce"`, or `"monitor"`: release everything at once and record what would have happened.
        on_blocked: `"raise"` raises `Blocked` from guarded calls, `"fallback"` returns the
            constitution's fallback text.
        on_error: `"block"`, or `"unsafe_allow"`: release where a check broke.
        max_revisions: Overrides the constitution's own.
        budget: Limits of one review. Default: 60 seconds.
        redaction: What the trail keeps of texts: `"full"`, `"redacted"` (no personal data), `"commitments"` (none).
        jurisdiction: Judge only the principles of one, `"JP"` say. Default: all.
        language: `"en"` or `"ja"`: the language the model is given the rules in. Default: English.
        variables: Overrides of the constitution's variables.
        allow_unjudged: Let principles stand that no judge covers; every outcome names them.
        require_approved: Refuse a constitution without a valid approval.

    Raises:
        ConstitutionError: a constitution with mistakes.
        ConfigurationError: options that cannot work, or principles that no judge covers.
    """

    def __init__(
        self,
        constitution: str | os.PathLike[str] | Constitution,
        *,
        model: Model | str | Callable[..., Any] | None = None,
        judge: Judge | Sequence[Judge] | Literal["rules"] | None = None,
        reviser: Reviser | Literal["rules"] | None = None,
        audit: AuditTrail | str | os.PathLike[str] | None = DEFAULT_AUDIT,
        mode: Literal["enforce", "monitor"] = "enforce",
        on_blocked: Literal["raise", "fallback"] = "raise",
        on_error: OnError = "block",
        max_revisions: int | None = None,
        budget: Budget | None = None,
        redaction: Redaction = "full",
        jurisdiction: str | None = None,
        language: str | None = None,
        variables: Mapping[str, Any] | None = None,
        allow_unjudged: bool = False,
        require_approved: bool = False,
    ) -> None:
        one_of("mode", mode, ("enforce", "monitor"))
        one_of("on_blocked", on_blocked, ("raise", "fallback"))
        one_of("on_error", on_error, ("block", "unsafe_allow"))
        one_of("redaction", redaction, REDACTIONS)
        one_of("require_approved", require_approved, (True, False))
        self.constitution = constitution_from(constitution, jurisdiction, variables, approved=require_approved)
        one_of("language", language, (None, "en", "ja"))
        if max_revisions is not None and (type(max_revisions) is not int or max_revisions < 0):
            raise ConfigurationError(f"max_revisions={max_revisions!r} is not a whole number from 0 on.")
        made = None if model is None else model_from(model)
        self._setup = Setup(
            self.constitution,
            judges=judges_from(judge, made, self.constitution, language or "en"),
            reviser=reviser_from(reviser, made, self.constitution, language or "en"),
            budget=budget or Budget(),
            max_revisions=self.constitution.settings.max_revisions if max_revisions is None else max_revisions,
            on_error=on_error,
            allow_unjudged=allow_unjudged,
        )
        uncovered = [principle.id for principle in self._setup.uncovered()]
        if uncovered and not allow_unjudged:
            raise ConfigurationError(
                f"no judge covers {len(uncovered)} of {len(self.constitution.principles)} principles of "
                f"{self.constitution.name}: {', '.join(uncovered)}. Give model=, add a judge that covers them, or "
                "say allow_unjudged=True: every outcome then names them as unjudged."
            )
        self.enforces = mode == "enforce"
        self.on_blocked = on_blocked
        self.audit = trail_from(audit)
        recorder = Recorder(self.audit, self._setup, redaction, language or "en", on_blocked)
        self._replies = Replies(self._setup, recorder, enforces=self.enforces)
        self._streams = Streams(self._setup, recorder, None if self.enforces else self.watch)
        self._owns_audit = not isinstance(audit, AuditTrail)

    def review(
        self,
        messages: str | Message | Iterable[Any],
        reply: Any,
        *,
        context: str | Iterable[Any] = (),
    ) -> Outcome:
        """Review a reply: judge it, revise it where it breaks a principle, judge it again, record it.

        `messages` is the conversation that the reply answers: a string, or messages as chat APIs take them.
        `reply` is text, or a reply object of an SDK. `context` holds documents and tool results that the
        reply was given. A blocked reply raises nothing: the outcome's `text` is the fallback then.

        Raises:
            AuditError: the record could not be written; nothing is released.
            UnsupportedReply: the reply is of a type that cannot be judged.
        """
        return self.reviewed(Exchange(messages, context=context), single(reply))[0]

    async def areview(
        self,
        messages: str | Message | Iterable[Any],
        reply: Any,
        *,
        context: str | Iterable[Any] = (),
    ) -> Outcome:
        """As `review`, on the running event loop."""
        return (await self.areviewed(Exchange(messages, context=context), single(reply)))[0]

    def stream(
        self,
        messages: str | Message | Iterable[Any],
        chunks: Iterable[str],
        *,
        context: str | Iterable[Any] = (),
    ) -> Released[str]:
        """Release a reply that comes in chunks of text, sentence by sentence as it is judged.

        Nothing unjudged comes out, and nothing that came out is taken back: what only the whole reply can be
        judged by is decided at the end, and may end the stream.

        >>> guard = Guard("finance", judge="rules", allow_unjudged=True, audit=None)
        >>> "".join(guard.stream("Is it safe?", ["It costs 0.2%. ", "It is guaranteed ", "to return 8%."]))
        'It costs 0.2%. It aims to return 8%, but returns are not guaranteed and you can lose money.'

        Raises:
            Blocked: the rest may not be released; with `on_blocked="fallback"` the fallback text follows instead.
            AuditError: a record could not be written; what it stands for is not released.
        """
        readable("stream", chunks, Iterable)
        return self.streamed(Exchange(messages, context=context), chunks, TEXT.events())

    def astream(
        self,
        messages: str | Message | Iterable[Any],
        chunks: AsyncIterable[str],
        *,
        context: str | Iterable[Any] = (),
    ) -> AsyncReleased[str]:
        """As `stream`, for an async iterable, on the running event loop."""
        readable("astream", chunks, AsyncIterable)
        return self.astreamed(Exchange(messages, context=context), chunks, TEXT.events())

    @overload
    def __call__(self, function: Callable[P, R], /, *, exchange: ExchangeFrom | None = None) -> Guarded[P, R]: ...
    @overload
    def __call__(
        self, function: None = None, /, *, exchange: ExchangeFrom
    ) -> Callable[[Callable[P, R]], Guarded[P, R]]: ...
    def __call__(self, function: Callable[..., Any] | None = None, /, *, exchange: ExchangeFrom | None = None) -> Any:
        """Guard a function that returns a reply: `def` or `async def`, a method, an SDK's bound method.

        The guarded function takes what the function took and returns the type that it returned. Its
        `.outcome(…)` makes the same call and returns the `Outcome`. `exchange` says what the conversation
        is where the arguments do not.

        Raises:
            ConfigurationError: the arguments hold no conversation, or the function is a generator.
        """
        if function is None:
            return lambda function: Guarded(self, function, exchange)
        return Guarded(self, function, exchange)

    def wrap(self, client: C) -> C:
        """A client of the same class whose every reply is guarded: whole, streamed, parsed and raw.

        For the clients of anthropic (Bedrock and Vertex too), openai (Azure too) and google-genai, sync and
        async. The client that was given stays as it is. A call whose reply no guard would see raises
        `UnguardedCall`, and is not sent.

        Raises:
            ConfigurationError: it is no client that can be wrapped.
        """
        return integrations.wrap(self, client)

    def close(self) -> None:
        """Wait for what monitor mode still reviews, and close the trail."""
        behind.join(self)
        if self.audit is not None and self._owns_audit:
            self.audit.close()

    async def aclose(self) -> None:
        """As `close`, without blocking the running event loop."""
        await in_thread(self.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def reviewed(self, exchange: Exchange, reply: Reply) -> tuple[Outcome, ...]:
        """Review a reply and record it, one outcome for each of its choices; called by guarded functions too."""
        return self._replies.review(exchange, reply)

    async def areviewed(self, exchange: Exchange, reply: Reply) -> tuple[Outcome, ...]:
        """As `reviewed`, on the running event loop."""
        return await self._replies.areview(exchange, reply)

    def streamed(
        self,
        exchange: Exchange,
        source: Iterable[Any],
        events: Events,
        *,
        raises: bool | None = None,
        done: Done | None = None,
    ) -> Released[Any]:
        """Guard a stream of events; called by guarded functions and wrapped clients too.

        `raises` overrides `on_blocked`. `done` is told the outcomes, however the stream ends; where it is given,
        the stream is guarded in monitor mode, too.
        """
        if done is None and not self.enforces:
            return self._streams.observe(exchange, source, events)
        raises = self.on_blocked == "raise" if raises is None else raises
        return self._streams.open(exchange, source, events, raises=raises, done=done or (lambda _: None))

    def astreamed(
        self,
        exchange: Exchange,
        source: AsyncIterable[Any],
        events: Events,
        *,
        raises: bool | None = None,
        done: Done | None = None,
    ) -> AsyncReleased[Any]:
        """As `streamed`, on the running event loop."""
        if done is None and not self.enforces:
            return self._streams.aobserve(exchange, source, events)
        raises = self.on_blocked == "raise" if raises is None else raises
        return self._streams.aopen(exchange, source, events, raises=raises, done=done or (lambda _: None))

    def overhear(self, exchange: Exchange, events: Events) -> Overheard:
        """What is told of a stream in monitor mode; called by wrapped clients."""
        return self._streams.overhear(exchange, events)

    def watch(self, exchange: Exchange, reply: Reply) -> None:
        """Review behind the caller's back; called by guarded functions in monitor mode.

        Raises:
            RuntimeError: too many reviews wait, or the process ends.
        """
        behind.put(self, functools.partial(self.reviewed, exchange, reply))
