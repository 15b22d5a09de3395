"""Constitutions for the tests of lint: complete and clean, but for what a test gives."""

from copy import deepcopy
from datetime import date

from support import folder, principle

from guardrails.authoring.lint import lint

TODAY = date(2026, 11, 24)
WHOLE = {
    "title": "No promise of safety",
    "rule": "Never promise that a deposit is safe.",
    "authority": [{"cite": "Acme Bank, Policy 4", "verified": "primary", "checked_on": "2026-11-20"}],
    "examples": [
        {"violates": "Your deposit is safe.", "revised": "Your deposit is insured up to a limit."},
        {"complies": "Is my deposit safe? Ask your branch.", "note": "asks in the words of the claim"},
    ],
}
SAFE = {"pattern": r"\bis safe\b"}


def files_of(*principles, **top):
    """A constitution of these principles, each of them complete but for what is given."""
    data = [principle(p.get("id", f"p-{index}"), **deepcopy({**WHOLE, **p})) for index, p in enumerate(principles)]
    return {"test.yaml": {"name": "test", "version": "2", "principles": data, **top}}


def linted(*principles, today=TODAY, files=None, **top):
    """What lint finds in it."""
    with folder({**files_of(*principles, **top), **(files or {})}) as path:
        return lint(path / "test.yaml", today=today)


def codes(findings):
    return {finding.code for finding in findings}


def said(findings, code):
    return [finding.problem.message for finding in findings if finding.code == code]
