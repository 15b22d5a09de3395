"""What revisions teach: pairs of a draft and its revision, for training a model on a constitution.

The supervised stage of Constitutional AI (Bai et al. 2022, arXiv 2212.08073, section 3): a model learns from
replies that were revised by the principles; here, from live traffic and with people's decisions heeded.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any, Literal

from guardrails.audit._record import restore
from guardrails.audit._runs import summary
from guardrails.audit._store import as_written

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from guardrails.audit._record import Run
    from guardrails.audit._store import Record
    from guardrails.audit._trail import AuditTrail

Skip = Literal["overruled", "erased", "not kept", "tool calls", "no prompt", "unchanged"]
"""Why a revised run gives no pair."""

_REVISED = b'"status":"revised"'
_NO_TEXTS = b'"texts":{}'


class Preferences:
    """The revised runs of a trail as lines of JSON, in the order of their records, read as they are asked for.

    A line has the columns of TRL's conversational datasets: `prompt`, the messages as the model was sent them;
    `rejected`, the reply as the model wrote it; `chosen`, the revision that passed every judge; each a list of
    messages. `completion` is `chosen` once more, so that one file serves both trainers: `DPOTrainer` reads `prompt`,
    `chosen` and `rejected`, `SFTTrainer` reads `prompt` and `completion`, and neither minds the rest: `principles`,
    those that the reply broke or that could not be decided; `context`, the documents that the guard was given, one
    string; `constitution`, the digest of the wording; `run`.

    `context` stands apart, because a trail does not know whether and where the prompt held it: where it did not, put
    it into the prompt before training, or a model learns to state what it was not told. Drafts between the two are
    left out. Where a trail keeps texts redacted, so are these. Runs in monitor mode count, for their revisions
    passed the judges too; so do runs with several choices, each of which is a run of its own.

    `kept` and `skipped` count runs while lines are read. Revised runs are skipped that a person overruled (the last
    decision counts), whose texts were erased or not to be kept, whose replies called tools (the pair would teach a
    model not to), that have no messages, and whose two texts are the same, as redaction may make them.

    >>> from guardrails.audit import AuditTrail
    >>> Preferences(AuditTrail.open("audit.db")).kept
    0
    """

    def __init__(self, trail: AuditTrail) -> None:
        self._trail = trail
        self.kept = 0
        self.skipped: Counter[Skip] = Counter()

    def __iter__(self) -> Iterator[str]:
        """The lines, each with its line break; counting begins anew.

        Raises:
            AuditError: the trail cannot be read, or a record is not as this library wrote it.
        """
        self.kept = 0
        self.skipped.clear()
        decided = {act.run: act.agrees for act in self._trail.acts() if act.kind == "decision"}
        for record in self._trail.records():
            if _REVISED not in record.body:
                continue
            found = summary(record)
            with as_written(record):
                run = restore(json.loads(record.body), record.texts)
            skip: Skip | None = "overruled" if decided.get(found.run_id) is False else _unfit(run, record)
            if skip:
                self.skipped[skip] += 1
                continue
            self.kept += 1
            yield json.dumps(_pair(run, found.at_fault)) + "\n"


def _unfit(run: Run, record: Record) -> Skip | None:
    """Why a run gives no pair; None where it does."""
    if run.redaction == "commitments":
        return "not kept"
    if not record.texts and _NO_TEXTS not in record.body:
        return "erased"
    if any(attempt.calls for attempt in run.outcome.attempts):
        return "tool calls"
    if not run.exchange.messages:
        return "no prompt"
    return None if run.outcome.text and run.outcome.original != run.outcome.text else "unchanged"


def _pair(run: Run, principles: Sequence[str]) -> dict[str, Any]:
    outcome, exchange = run.outcome, run.exchange
    chosen = _message("assistant", outcome.text)
    return {
        "prompt": [_message(message.role, message.content) for message in exchange.messages],
        "chosen": [chosen],
        "rejected": [_message("assistant", outcome.original)],
        "completion": [chosen],
        "principles": list(principles),
        "context": _valid("\n\n".join(exchange.context)),
        "constitution": outcome.constitution.digest,
        "run": outcome.run_id,
    }


def _message(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": _valid(content)}


def _valid(text: str) -> str:
    """A text without lone surrogates, at which the readers of data sets give up."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
