"""The model reviser: edits by sentence number, of cited sentences only."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from guardrails.constitution import text_in
from guardrails.exchange import Message
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
from guardrails.revisers._interface import Revision, Task, editable
from guardrails.sentences import Edit
from guardrails.verdict import Verdict

_MAX_TEXT = 4_000
_SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "edits": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"sentence": {"type": "integer"}, "text": {"type": "string"}},
                "required": ["sentence", "text"],
                "additionalProperties": False,
            },
        },
        "append": {"type": ["string", "null"]},
    },
    "required": ["edits", "append"],
    "additionalProperties": False,
}


class ModelReviser:
    """Mends a draft with a language model, by edits: what was not at fault stays byte for byte.

    A revision of one sentence costs tens of output tokens, however long the reply. Edits that cannot be
    applied are told to the model once; then there is no revision. `model`, `language`, `facts` and
    `max_tokens` are as for `ModelJudge`.

    The method is the revision step of Bai et al., Constitutional AI (arXiv:2212.08073), by edits.
    """

    def __init__(
        self,
        model: Model | str | Any,
        *,
        name: str | None = None,
        language: str = "en",
        facts: Sequence[Mapping[str, str]] = (),
        max_tokens: int = 2048,
    ) -> None:
        self.model = model_from(model)
        self.name = name or self.model.name
        self._language = language
        self._max_tokens = max_tokens
        self._facts = tuple(facts)

    def prompt_digest(self) -> str:
        """SHA-256 of the instructions, for the audit trail."""
        return hashlib.sha256(self._system().encode()).hexdigest()

    def revise(self, task: Task) -> Step[Revision]:
        """Ask for edits of the cited sentences."""
        allowed = editable(task)
        request = ModelRequest(
            purpose="revise",
            system=self._system(),
            messages=(Message("user", f"{present(task.exchange, replaced=task.edits)}\n\n{self._faults(task)}"),),
            schema=_SCHEMA,
            max_tokens=self._max_tokens,
        )
        made = yield from answer(self.model, request, lambda value: _revision(value, allowed, self.name))
        if isinstance(made, Failure):
            return Revision(reviser=self.name, problem=made.reason, failed=made.kind != "unreadable")
        return made

    def _system(self) -> str:
        return instructions(
            "guardrails.revisers", "revise.j2", facts=self._facts, language=self._language, text_in=text_in
        )

    def _faults(self, task: Task) -> str:
        lines = ["What is wrong:"]
        lines += [self._fault(task, verdict) for verdict in task.violations]
        if task.feedback:
            lines.append(f"Your last edits were refused: {task.feedback}")
        return "\n".join(lines)

    def _fault(self, task: Task, verdict: Verdict) -> str:
        where = f"sentence {', '.join(map(str, verdict.sentences))}" if verdict.sentences else "the reply"
        principle = task.constitution.by_id.get(verdict.principle)
        lines = [f"- {where} breaks {verdict.principle}: {' '.join(verdict.critique.split())}"]
        if principle:
            lines.append(f"  The principle: {text_in(principle.rule, self._language)}")
            if principle.revision:
                lines.append(f"  How to mend it: {text_in(principle.revision, self._language)}")
        return "\n".join(lines)


def _revision(value: Mapping[str, Any], allowed: frozenset[int], reviser: str) -> Revision:
    listed, append = value.get("edits"), value.get("append")
    if not isinstance(listed, list) or not (append is None or isinstance(append, str)):
        raise UnreadableError('the object is not {"edits": [{"sentence": 1, "text": "…"}], "append": null}')
    edits: dict[int, str] = {}
    for item in listed:
        number, text = (item.get("sentence"), item.get("text")) if isinstance(item, dict) else (None, None)
        if type(number) is not int or not isinstance(text, str) or len(text) > _MAX_TEXT:
            raise UnreadableError('an edit is not {"sentence": 1, "text": "…"}')
        if number not in allowed:
            may = ", ".join(map(str, sorted(allowed))) or "none"
            raise UnreadableError(f"sentence {number} may not be edited; these may: {may}")
        if number in edits:
            raise UnreadableError(f"sentence {number} is edited twice")
        edits[number] = text
    if append is not None and len(append) > _MAX_TEXT:
        raise UnreadableError('"append" is too long')
    if not edits and not (append and append.strip()):
        raise UnreadableError("there is no edit, and nothing to append")
    return Revision(tuple(Edit(number, text) for number, text in sorted(edits.items())), append or None, reviser)
