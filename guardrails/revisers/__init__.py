"""Revisers turn critiques into edits; their driver does the I/O. Used by the loop."""

from guardrails.revisers._fidelity import PRINCIPLE as FIDELITY
from guardrails.revisers._fidelity import empties, unfaithful
from guardrails.revisers._interface import Reviser, Revision, Task, editable
from guardrails.revisers._model import ModelReviser
from guardrails.revisers._rules import RuleReviser, mend

__all__ = [
    "FIDELITY",
    "ModelReviser",
    "Reviser",
    "Revision",
    "RuleReviser",
    "Task",
    "editable",
    "empties",
    "mend",
    "unfaithful",
]
