"""Documents for people: reports about an audit trail, and the rule books of constitutions.

`write` makes a report, one HTML file that needs nothing else; `rulebook` makes a rule book, in HTML or Markdown.
Nothing in them runs or loads anything, whatever stands in the trail or in the constitution.
"""

from __future__ import annotations

from guardrails.reports._report import Report, write
from guardrails.reports._rulebook import rulebook
from guardrails.reports._words import LANGUAGES

__all__ = ["LANGUAGES", "Report", "rulebook", "write"]
