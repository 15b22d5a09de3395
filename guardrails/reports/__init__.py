"""Reports about an audit trail, for people who audit: one HTML file that needs nothing else.

`write` makes it. Nothing in the file runs or loads anything, whatever stands in the trail.
"""

from __future__ import annotations

from guardrails.reports._report import Report, write
from guardrails.reports._words import LANGUAGES

__all__ = ["LANGUAGES", "Report", "write"]
