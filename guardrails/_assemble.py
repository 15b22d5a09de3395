"""Who judges and who revises, made of what a guard was given. Called by the guard."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from guardrails._setup import Setup
from guardrails.audit import AuditTrail, Worker
from guardrails.constitution import Constitution, demand_approval
from guardrails.errors import ConfigurationError
from guardrails.judges import Judge, ModelJudge, Panel, RuleJudge
from guardrails.models import Model
from guardrails.revisers import ModelReviser, Reviser, RuleReviser

DEFAULT_AUDIT = "sqlite:///guardrails.db"
_log = logging.getLogger("guardrails")
_log.addHandler(logging.NullHandler())  # silent, unless an application listens
_logged: set[str] = set()


def one_of(name: str, value: object, allowed: Sequence[object]) -> None:
    """Refuse an option's value that is not one of those allowed."""
    if value not in allowed:
        raise ConfigurationError(f"{name}={value!r} is not one of {', '.join(map(repr, allowed))}.")


def judges_from(
    judge: Judge | Sequence[Judge] | str | None, model: Model | None, constitution: Constitution, language: str
) -> tuple[Judge, ...]:
    """The judges besides the rules, which always run."""
    if judge is None:
        return () if model is None else (ModelJudge(model, language=language, facts=constitution.facts),)
    if isinstance(judge, str):
        one_of("judge", judge, ("rules",))
        return ()
    judges = tuple(judge) if isinstance(judge, list | tuple) else (judge,)
    for one in judges:
        if not isinstance(one, Judge):
            raise ConfigurationError(
                f"judge= holds a {type(one).__name__}, which is no Judge. Wrap a model as ModelJudge(model), "
                "a function as FunctionJudge(function, covers={…})."
            )
    return tuple(one for one in judges if not isinstance(one, RuleJudge))


def reviser_from(
    reviser: Reviser | str | None, model: Model | None, constitution: Constitution, language: str
) -> Reviser | None:
    """The reviser besides the constitution's fixes, which always go first."""
    if reviser is None:
        return None if model is None else ModelReviser(model, language=language, facts=constitution.facts)
    if isinstance(reviser, str):
        one_of("reviser", reviser, ("rules",))
        return None
    if not isinstance(reviser, Reviser):
        raise ConfigurationError(
            f"reviser= is a {type(reviser).__name__}, which is no Reviser. Wrap a model as ModelReviser(model)."
        )
    return None if isinstance(reviser, RuleReviser) else reviser


def judge_workers(setup: Setup) -> tuple[Worker, ...]:
    """The judges as the record names them: with their models and the digests of their prompts."""
    return tuple(_judges(setup.whole.panel, setup.constitution))


def reviser_workers(setup: Setup) -> tuple[Worker, ...]:
    """The revisers as the record names them."""
    rules, reviser = Worker(RuleReviser.name), setup.reviser
    if reviser is None:
        return (rules,)
    if isinstance(reviser, ModelReviser):
        return rules, Worker(reviser.name, reviser.model.name, reviser.prompt_digest())
    return rules, Worker(reviser.name)


def _judges(judge: Judge, constitution: Constitution) -> Iterable[Worker]:
    if isinstance(judge, Panel):
        for one in judge.judges:
            yield from _judges(one, constitution)
    elif isinstance(judge, ModelJudge):
        yield Worker(judge.name, judge.model.name, judge.prompt_digest(constitution.principles))
    else:
        yield Worker(judge.name)


def constitution_from(
    source: str | os.PathLike[str] | Constitution,
    jurisdiction: str | None,
    variables: Mapping[str, Any] | None,
    *,
    approved: bool = False,
) -> Constitution:
    """The constitution that was named or given, for one jurisdiction and with these variables.

    With `approved`, one that nobody approved as it then is is refused.
    """
    if not isinstance(source, Constitution):
        made = Constitution.load(source, jurisdiction=jurisdiction, variables=variables)
    elif jurisdiction is None and not variables:
        made = source
    else:
        declared = source.select().variables
        chosen = {name: value for name, value in source.variables.items() if value != declared.get(name)}
        made = source.select(jurisdiction=jurisdiction, variables={**chosen, **(variables or {})})
    if approved:
        demand_approval(made)
    return made


def trail_from(audit: AuditTrail | str | os.PathLike[str] | None) -> AuditTrail | None:
    """The trail that `audit=` and `--audit` name; the default can be moved with GUARDRAILS_AUDIT."""
    if audit is None or isinstance(audit, AuditTrail):
        return audit
    if audit == DEFAULT_AUDIT:
        audit = os.environ.get("GUARDRAILS_AUDIT") or audit
    trail = AuditTrail.open(os.fspath(audit))
    if trail.url not in _logged:
        _logged.add(trail.url)
        _log.info("audit trail: %s", trail.url)
    return trail
