"""YAML in, compiled constitutions out. Used by the guard, the judges, the revisers and the command line."""

from guardrails.constitution._approvals import Approval, approvals, demand_approval, is_approved, outdated
from guardrails.constitution._check_schema import Check, GroundedCheck, PatternCheck, PersonalDataCheck, RequireCheck
from guardrails.constitution._checks import CheckSet, Findings, Hit
from guardrails.constitution._compile import Constitution, sources_of
from guardrails.constitution._load import Placed, Source, shipped
from guardrails.constitution._mistakes import did_you_mean
from guardrails.constitution._schema import Authority, Example, Expect, Principle, Settings
from guardrails.constitution._types import text_in

__all__ = [
    "Approval",
    "Authority",
    "Check",
    "CheckSet",
    "Constitution",
    "Example",
    "Expect",
    "Findings",
    "GroundedCheck",
    "Hit",
    "PatternCheck",
    "PersonalDataCheck",
    "Placed",
    "Principle",
    "RequireCheck",
    "Settings",
    "Source",
    "approvals",
    "demand_approval",
    "did_you_mean",
    "is_approved",
    "outdated",
    "shipped",
    "sources_of",
    "text_in",
]
