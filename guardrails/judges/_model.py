"""The model judge: one request for all principles, an answer that lists only what is wrong."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from guardrails.constitution import Principle, text_in
from guardrails.exchange import Exchange, Message
from guardrails.models import (
    Failure,
    Model,
    ModelRequest,
    Step,
    UnreadableError,
    answer,
    instructions,
    model_from,
    present,
)
from guardrails.verdict import Decision, Verdict

_MAX_CRITIQUE = 2_000
_MOST_KEPT = 8  # sets of principles: a guard has one for replies, one for windows of streams, one for tool calls
_DECISIONS = {"violates": Decision.VIOLATES, "undecided": Decision.UNDECIDED}


@dataclass(frozen=True)
class _Brief:
    """What is asked the same way each time: the system text, and the schema that its answer follows."""

    principles: Sequence[Principle]
    system: str
    schema: Mapping[str, Any]


class ModelJudge:
    """Judges every principle with a language model, in one request.

    The constitution comes first, as a prefix that providers can cache; the exchange follows, between
    fresh markers. The answer names the principles that the reply breaks or may break, so that a clean
    reply costs a handful of output tokens however long the constitution is. An answer that cannot be
    read is asked for once more, with the error; then every principle is undecided.

    `model` is a `Model`, `"provider:model-id"` or a callable. `language` is the one the rules are given
    in. `facts` are what a reply may state without a source. `max_tokens` bounds the answer.

    The method is the critique step of Bai et al., Constitutional AI (arXiv:2212.08073), for all
    principles at once.

    >>> ModelJudge("anthropic:claude-haiku-4-5").name
    'anthropic:claude-haiku-4-5'
    """

    def __init__(
        self,
        model: Model | str | Any,
        *,
        name: str | None = None,
        language: str = "en",
        facts: Sequence[Mapping[str, str]] = (),
        max_tokens: int = 1024,
    ) -> None:
        self.model = model_from(model)
        self.name = name or self.model.name
        self._language = language
        self._facts = tuple(facts)
        self._max_tokens = max_tokens
        self._briefs: dict[int, _Brief] = {}

    def covers(self, principle: Principle) -> bool:  # noqa: ARG002 - the protocol's signature
        """A model judges any principle."""
        return True

    def prompt_digest(self, principles: Sequence[Principle]) -> str:
        """SHA-256 of the instructions, for the audit trail."""
        return hashlib.sha256(self._brief(principles).system.encode()).hexdigest()

    def judge(self, exchange: Exchange, principles: Sequence[Principle]) -> Step[list[Verdict]]:
        """Ask once for all principles."""
        if not principles:
            return []
        brief = self._brief(principles)
        request = ModelRequest(
            purpose="judge",
            system=brief.system,
            messages=(Message("user", present(exchange)),),
            schema=brief.schema,
            max_tokens=self._max_tokens,
        )
        ids = {p.id for p in principles}
        count = len(exchange.sentences)
        found = yield from answer(self.model, request, lambda value: _findings(value, ids, count, self.name))
        if isinstance(found, Failure):
            failed = found.kind != "unreadable"
            return [
                Verdict(p.id, Decision.UNDECIDED, self.name, reason=found.reason, failed=failed) for p in principles
            ]
        verdicts = []
        for principle in principles:
            named = [verdict for verdict in found if verdict.principle == principle.id]
            verdicts += named or [Verdict(principle.id, Decision.COMPLIES, self.name)]
        return verdicts

    def _brief(self, principles: Sequence[Principle]) -> _Brief:
        brief = self._briefs.get(id(principles))
        if brief is None or brief.principles is not principles:
            system = instructions(
                "guardrails.judges",
                "judge.j2",
                principles=principles,
                facts=self._facts,
                language=self._language,
                text_in=text_in,
            )
            brief = _Brief(principles, system, _schema([p.id for p in principles]))
            if len(self._briefs) >= _MOST_KEPT:
                self._briefs.clear()
            self._briefs[id(principles)] = brief  # it holds the principles, so their id stays theirs
        return brief


def _findings(value: Mapping[str, Any], ids: set[str], count: int, judge: str) -> list[Verdict]:
    listed = value.get("findings")
    if not isinstance(listed, list):
        raise UnreadableError('the object has no list "findings"')
    return [_verdict(item, ids, count, judge) for item in listed]


def _verdict(item: Any, ids: set[str], count: int, judge: str) -> Verdict:
    if not isinstance(item, dict):
        raise UnreadableError("a finding is not an object")
    name, decision = item.get("principle"), item.get("decision")
    if not isinstance(name, str) or name not in ids:
        raise UnreadableError("a finding names a principle that does not exist")
    if not isinstance(decision, str) or decision not in _DECISIONS:
        raise UnreadableError('"decision" is neither "violates" nor "undecided"')
    sentences, confidence = item.get("sentences", []), item.get("confidence")
    if not isinstance(sentences, list) or not all(type(n) is int and 1 <= n <= count for n in sentences):
        raise UnreadableError(f'"sentences" holds a number that is not one of 1 to {count}')
    if confidence is not None and (type(confidence) not in {int, float} or not 0 <= confidence <= 100):  # noqa: PLR2004 - per cent
        raise UnreadableError('"confidence" is not a number from 0 to 100')
    critique = str(item.get("critique") or "")[:_MAX_CRITIQUE]
    return Verdict(
        name,
        _DECISIONS[decision],
        judge,
        critique=critique,
        sentences=tuple(sorted(set(sentences))),
        confidence=None if confidence is None else int(confidence),
        reason="the judge could not tell" if decision == "undecided" else "",
    )


def _schema(ids: Sequence[str]) -> Mapping[str, Any]:
    finding = {
        "principle": {"type": "string", "enum": list(ids)},
        "decision": {"type": "string", "enum": list(_DECISIONS)},
        "sentences": {"type": "array", "items": {"type": "integer"}},
        "confidence": {"type": "integer"},
        "critique": {"type": "string"},
    }
    return _object({"findings": {"type": "array", "items": _object(finding)}})


def _object(properties: Mapping[str, Any]) -> Mapping[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
