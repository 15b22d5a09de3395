"""For your tests: models that say what you script, in place of ones that cost money and vary.

>>> from guardrails import Guard
>>> wrong = finding("fin-balanced-risk", sentences=[1])
>>> model = ScriptedModel(judge=[wrong, clean()], revise=[edits({1: "It can fall."})])
>>> guard = Guard("finance", model=model, audit=None)
>>> guard.review("Is it safe?", "It only rises.").text
'It can fall.'
>>> [request.purpose for request in model.requests]
['judge', 'revise', 'judge']
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from guardrails.errors import ModelError
from guardrails.models import ModelReply, ModelRequest

Answer: TypeAlias = str | ModelReply | Mapping[str, Any] | Exception
"""What a scripted model says: text, a whole reply, an object to send as JSON, or an error to raise."""
Script: TypeAlias = Iterable[Answer] | Callable[[ModelRequest], Answer]


class ScriptedModel:
    """A model that gives scripted answers.

    A script is a sequence of answers, used up in order, or a function of the request. `answers` is one for
    all requests; or `judge` and `revise` are one each. Without a script, judging finds nothing wrong, and
    revising fails. `requests` holds what was asked. Safe to use from many threads and tasks.

    A script that is used up raises `ModelError`: the code under test asked more often than you expected.
    """

    def __init__(
        self,
        answers: Script | None = None,
        *,
        judge: Script | None = None,
        revise: Script | None = None,
        name: str = "scripted",
    ) -> None:
        self.name = name
        self.requests: list[ModelRequest] = []
        every = None if answers is None else _script(answers)
        self._scripts = {
            "judge": every or _script(judge if judge is not None else lambda _: clean()),
            "revise": every or _script(revise or ()),
        }
        self._lock = threading.Lock()

    def complete(self, request: ModelRequest) -> ModelReply:
        """Give the next answer."""
        with self._lock:
            self.requests.append(request)
            said = self._scripts[request.purpose](request)
        if isinstance(said, Exception):
            raise said
        if isinstance(said, ModelReply):
            return said
        text = said if isinstance(said, str) else json.dumps(said, ensure_ascii=False)
        asked = len(request.system) + sum(len(message.content) for message in request.messages)
        # Four characters a token: enough for budgets to be tried on.
        return ModelReply(text, model=self.name, input_tokens=asked // 4, output_tokens=len(text) // 4)

    async def acomplete(self, request: ModelRequest) -> ModelReply:
        """Give the next answer."""
        return self.complete(request)


def clean() -> Mapping[str, Any]:
    """A judge's answer that finds nothing wrong."""
    return {"findings": []}


def finding(
    principle: str,
    *,
    sentences: Sequence[int] = (),
    decision: str = "violates",
    confidence: int = 95,
    critique: str = "It breaks the principle.",
) -> Mapping[str, Any]:
    """A judge's answer with one finding; join several with `findings`."""
    found = {
        "principle": principle,
        "decision": decision,
        "sentences": list(sentences),
        "confidence": confidence,
        "critique": critique,
    }
    return {"findings": [found]}


def findings(*answers: Mapping[str, Any]) -> Mapping[str, Any]:
    """Several judges' answers as one."""
    return {"findings": [found for answer in answers for found in answer["findings"]]}


def edits(texts: Mapping[int, str], append: str | None = None) -> Mapping[str, Any]:
    """A reviser's answer: new texts by sentence number, and a text to append."""
    return {"edits": [{"sentence": number, "text": text} for number, text in texts.items()], "append": append}


def _script(script: Script) -> Callable[[ModelRequest], Answer]:
    if callable(script):
        return script
    answers = iter(script)

    def next_answer(request: ModelRequest) -> Answer:
        for answer in answers:
            return answer
        raise ModelError(f"the script has no further answer for a request to {request.purpose}")

    return next_answer


__all__ = ["ScriptedModel", "clean", "edits", "finding", "findings"]
