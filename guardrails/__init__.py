"""Guarded chat completions: judged against a constitution, revised, judged again, recorded, then released.

The public names load when they are first used: importing this package imports no SDK, no YAML parser and
no template engine.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from guardrails._budget import Budget as Budget
    from guardrails._guard import Guard as Guard
    from guardrails._labels import labels as labels
    from guardrails._outcomes import outcome_of as outcome_of
    from guardrails.audit import AuditTrail as AuditTrail
    from guardrails.constitution import Constitution as Constitution
    from guardrails.constitution import Principle as Principle
    from guardrails.errors import Blocked as Blocked
    from guardrails.errors import GuardrailsError as GuardrailsError
    from guardrails.exchange import Exchange as Exchange
    from guardrails.exchange import Message as Message
    from guardrails.judges import FunctionJudge as FunctionJudge
    from guardrails.judges import Judge as Judge
    from guardrails.judges import ModelJudge as ModelJudge
    from guardrails.judges import Panel as Panel
    from guardrails.judges import RuleJudge as RuleJudge
    from guardrails.models import Model as Model
    from guardrails.models import ModelReply as ModelReply
    from guardrails.models import ModelRequest as ModelRequest
    from guardrails.outcome import Outcome as Outcome
    from guardrails.outcome import Status as Status
    from guardrails.revisers import Reviser as Reviser
    from guardrails.sentences import Edit as Edit
    from guardrails.verdict import Decision as Decision
    from guardrails.verdict import Verdict as Verdict

__version__ = "0.1.0"

_HOMES = {
    "AuditTrail": "audit",
    "Blocked": "errors",
    "Budget": "_budget",
    "Constitution": "constitution",
    "Decision": "verdict",
    "Edit": "sentences",
    "Exchange": "exchange",
    "FunctionJudge": "judges",
    "Guard": "_guard",
    "GuardrailsError": "errors",
    "Judge": "judges",
    "Message": "exchange",
    "Model": "models",
    "ModelJudge": "judges",
    "ModelReply": "models",
    "ModelRequest": "models",
    "Outcome": "outcome",
    "Panel": "judges",
    "Principle": "constitution",
    "Reviser": "revisers",
    "RuleJudge": "judges",
    "Status": "outcome",
    "Verdict": "verdict",
    "labels": "_labels",
    "outcome_of": "_outcomes",
}

__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"guardrails.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*globals(), *_HOMES]
