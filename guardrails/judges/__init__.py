"""Judges build requests and read replies; their driver does the I/O. Used by the guard and by your code."""

from guardrails.judges._function import FunctionJudge
from guardrails.judges._interface import Judge
from guardrails.judges._model import ModelJudge
from guardrails.judges._panel import Panel
from guardrails.judges._rules import RuleJudge

__all__ = ["FunctionJudge", "Judge", "ModelJudge", "Panel", "RuleJudge"]
