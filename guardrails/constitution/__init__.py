"""YAML in, compiled constitutions out. Used by the guard, the judges, the revisers and the command line."""

from guardrails.constitution._checks import CheckSet, Findings, Hit
from guardrails.constitution._compile import Constitution
from guardrails.constitution._load import shipped
from guardrails.constitution._mistakes import did_you_mean
from guardrails.constitution._schema import (
    Authority,
    Example,
    GroundedCheck,
    Principle,
    RequireCheck,
    Settings,
    text_in,
)

__all__ = [
    "Authority",
    "CheckSet",
    "Constitution",
    "Example",
    "Findings",
    "GroundedCheck",
    "Hit",
    "Principle",
    "RequireCheck",
    "Settings",
    "did_you_mean",
    "shipped",
    "text_in",
]
