"""The languages that a report can be in, and its own words in each."""

from __future__ import annotations

from collections.abc import Mapping

from guardrails.reports._english import ENGLISH
from guardrails.reports._japanese import JAPANESE

WORDS: Mapping[str, Mapping[str, str]] = {"en": ENGLISH, "ja": JAPANESE}

LANGUAGES = tuple(WORDS)
