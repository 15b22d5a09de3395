"""The guard: what app developers touch. Other people's calls go in, guarded ones come out."""

from __future__ import annotations

import functools
import logging
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from time import monotonic
from types import TracebackType
from typing import Any, Literal, ParamSpec, Self, TypeVar, overload

from guardrails import __version__, _drive, _labels, _native
from guardrails._assemble import judge_workers, judges_from, one_of, reviser_from, reviser_workers
from guardrails._budget import Budget
from guardrails._decorate import ExchangeFrom
from guardrails._guarded import Guarded
from guardrails._monitor import behind
from guardrails._policy import OnError
from guardrails._review import Setup, review, unjudged
from guardrails.audit import AuditTrail, Run, Worker, uuid7
from guardrails.constitution import Constitution
from guardrails.errors import ConfigurationError
from guardrails.exchange import Exchange, Message
from guardrails.judges import Judge
from guardrails.models import Model, Step, in_thread, model_from
from guardrails.outcome import Outcome
from guardrails.revisers import Reviser

P = ParamSpec("P")
R = TypeVar("R")

DEFAULT_AUDIT = "sqlite:///guardrails.db"
_log = logging.getLogger("guardrails")
_logged: set[str] = set()


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
        redaction: What the trail keeps; `"full"` is all there is in this version.
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
        redaction: Literal["full"] = "full",
        jurisdiction: str | None = None,
        language: str | None = None,
        variables: Mapping[str, Any] | None = None,
        allow_unjudged: bool = False,
        require_approved: bool = False,
    ) -> None:
        one_of("mode", mode, ("enforce", "monitor"))
        one_of("on_blocked", on_blocked, ("raise", "fallback"))
        one_of("on_error", on_error, ("block", "unsafe_allow"))
        one_of("redaction", redaction, ("full",))
        one_of("require_approved", require_approved, (False,))
        self.constitution = _constitution(constitution, jurisdiction, variables)
        one_of("language", language, (None, "en", "ja"))
        if max_revisions is not None and (type(max_revisions) is not int or max_revisions < 0):
            raise ConfigurationError(f"max_revisions={max_revisions!r} is not a whole number from 0 on.")
        self._language = language or "en"
        made = None if model is None else model_from(model)
        self._setup = Setup(
            self.constitution,
            judges=judges_from(judge, made, self.constitution, self._language),
            reviser=reviser_from(reviser, made, self.constitution, self._language),
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
        self.audit = open_trail(audit)
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
        native = _native.read(reply)
        return self.reviewed(Exchange(messages, native.text, context), native)

    async def areview(
        self,
        messages: str | Message | Iterable[Any],
        reply: Any,
        *,
        context: str | Iterable[Any] = (),
    ) -> Outcome:
        """As `review`, on the running event loop."""
        native = _native.read(reply)
        return await self.areviewed(Exchange(messages, native.text, context), native)

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

    def reviewed(self, exchange: Exchange, native: _native.Native) -> Outcome:
        """Review one reply and record it; called by guarded functions too."""
        began = monotonic()
        step = self._step(exchange, native)
        outcome = self._finished(_drive.run(step, self._setup.budget.seconds), native, began)
        if self.audit is not None:
            self.audit.record(self._run(exchange, outcome), self.constitution.content)
        return outcome

    async def areviewed(self, exchange: Exchange, native: _native.Native) -> Outcome:
        """As `reviewed`, on the running event loop."""
        began = monotonic()
        step = self._step(exchange, native)
        outcome = self._finished(await _drive.arun(step, self._setup.budget.seconds), native, began)
        if self.audit is not None:
            await in_thread(self.audit.record, self._run(exchange, outcome), self.constitution.content)
        return outcome

    def _step(self, exchange: Exchange, native: _native.Native) -> Step[Outcome]:
        if native.is_silent:  # tool calls, say: no text, so nothing to judge, and the record says so
            return unjudged(exchange, self._setup, uuid7())
        return review(exchange, self._setup, uuid7())

    def _finished(self, outcome: Outcome, native: _native.Native, began: float) -> Outcome:
        if not self.enforces:
            text, reply = native.text, native.value
        elif outcome.blocked:
            text, reply = outcome.text, native.fallback(outcome.text)
        else:
            text, reply = outcome.text, native.with_text(outcome.text)
        return replace(outcome, text=text, reply=reply, elapsed=monotonic() - began, enforced=self.enforces)

    def _run(self, exchange: Exchange, outcome: Outcome) -> Run:
        return Run(exchange, outcome, *self._workers, labels=_labels.current(), guard=self._settings)

    @functools.cached_property
    def _settings(self) -> Mapping[str, str | float | bool | None]:
        """What verdicts and their consequences depend on besides the constitution, for the record."""
        setup = self._setup
        return {
            "library": __version__,
            "language": self._language,
            "max_revisions": setup.max_revisions,
            "on_blocked": self.on_blocked,
            "on_error": setup.on_error,
            "allow_unjudged": setup.allow_unjudged,
            **{f"budget_{name}": value for name, value in asdict(setup.budget).items()},
        }

    @functools.cached_property
    def _workers(self) -> tuple[tuple[Worker, ...], tuple[Worker, ...]]:
        return judge_workers(self._setup), reviser_workers(self._setup)

    def watch(self, exchange: Exchange, native: _native.Native) -> None:
        """Review behind the caller's back; called by guarded functions in monitor mode.

        Raises:
            RuntimeError: too many reviews wait, or the process ends.
        """
        behind.put(self, functools.partial(self.reviewed, exchange, native))


def _constitution(
    source: str | os.PathLike[str] | Constitution, jurisdiction: str | None, variables: Mapping[str, Any] | None
) -> Constitution:
    if not isinstance(source, Constitution):
        return Constitution.load(source, jurisdiction=jurisdiction, variables=variables)
    if jurisdiction is None and not variables:
        return source
    return source.select(jurisdiction=jurisdiction, variables=variables)


def open_trail(audit: AuditTrail | str | os.PathLike[str] | None) -> AuditTrail | None:
    """The trail that `audit=` and `--audit` name; the default can be moved with GUARDRAILS_AUDIT."""
    if audit is None or isinstance(audit, AuditTrail):
        return audit
    if audit == DEFAULT_AUDIT:
        audit = os.environ.get("GUARDRAILS_AUDIT") or audit
    trail = AuditTrail.open(os.fspath(audit))
    if trail.url not in _logged:
        _logged.add(trail.url)
        _log.info("audit trail: %s", trail.url)
    return trail
