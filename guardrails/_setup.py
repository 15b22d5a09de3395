"""What a guard reviews with, and which principles judge what."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from guardrails._budget import Budget
from guardrails._policy import OnError
from guardrails.constitution import CheckSet, Constitution, Principle, RequireCheck
from guardrails.judges import Judge, Panel, RuleJudge
from guardrails.revisers import Reviser


@dataclass(frozen=True)
class Scope:
    """Principles, who judges them (the rules alone, and all judges), and what is tried when revisions run out."""

    principles: tuple[Principle, ...]
    checks: CheckSet
    rules: Panel
    panel: Panel
    rungs: Sequence[str] = ()

    def covers_any(self) -> bool:
        """Whether a judge decides one of the principles, or a check looks at the text."""
        return any(principle.checks or self.panel.covers(principle) for principle in self.principles)


# `eq=False`: a guard's setup is one thing, and compares by identity.
@dataclass(frozen=True, eq=False)
class Setup:
    """What a guard reviews with."""

    constitution: Constitution
    judges: tuple[Judge, ...] = ()
    """Besides the rules, which always run."""
    reviser: Reviser | None = None
    """Besides the fixes, which always go first."""
    budget: Budget = field(default_factory=Budget)
    max_revisions: int = 2
    on_error: OnError = "block"
    allow_unjudged: bool = False

    def uncovered(self) -> tuple[Principle, ...]:
        """The principles that no judge decides."""
        return tuple(p for p in self.constitution.principles if not self.whole.panel.covers(p))

    @cached_property
    def whole(self) -> Scope:
        """For whole replies."""
        rungs = self.constitution.settings.exhausted
        return self._scope((p for p in self.constitution.principles if "reply" in p.applies_to), rungs)

    @cached_property
    def window(self) -> Scope:
        """For some sentences of a stream: what only the whole reply can be judged by is left out."""
        return self._scope(_without_disclosures(p for p in self.whole.principles if p.scope == "sentence"))

    @cached_property
    def calls(self) -> Scope:
        """For tool calls, which are never rewritten."""
        return self._scope(p for p in self.constitution.principles if "tool_calls" in p.applies_to)

    @cached_property
    def holds_streams(self) -> bool:
        """Whether a stream is let out when it has been judged as a whole, and not before.

        So it is where a critical principle judges the whole, and where nothing would judge a window.
        """
        critical = any(p.scope == "reply" and p.severity == "critical" for p in self.whole.principles)
        return critical or not self.window.covers_any()

    def _scope(self, chosen: Iterable[Principle], rungs: Sequence[str] = ()) -> Scope:
        principles, constitution = tuple(chosen), self.constitution
        same = principles == constitution.principles
        checks = constitution.checks if same else CheckSet(principles, constitution.stated_facts)
        rules = Panel([RuleJudge().with_checks(principles, checks)])
        panel = Panel([*rules.judges, *self.judges]) if self.judges else rules
        return Scope(principles, checks, rules, panel, rungs)


def _without_disclosures(principles: Iterable[Principle]) -> Iterable[Principle]:
    for principle in principles:
        checks = tuple(check for check in principle.checks if not isinstance(check, RequireCheck))
        kept = len(checks) == len(principle.checks)
        yield principle if kept else principle.model_copy(update={"checks": checks})
