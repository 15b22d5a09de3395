"""The page of a rule, in Markdown: its docstring, with its code above and how to allow it below."""

from __future__ import annotations

from guardrails.authoring.lint._rule import Rule

_LEVELS = {
    "error": "An error: `guardrails lint` exits with 1.",
    "advice": "Advice: it is shown, and counts with `--strict`.",
}


def page(rule: Rule) -> str:
    """What, why, avoid, prefer, and how to allow it."""
    return f"# {rule.code} {rule.name}\n\n{_LEVELS[rule.level]}\n\n## What\n\n{rule.doc}\n{_allow(rule)}"


def _allow(rule: Rule) -> str:
    return (
        f"\n## Allow it\n\nOn the line that the finding names: `# lint: allow {rule.name}`. For a whole run:\n"
        f"`guardrails lint --ignore {rule.code}`.\n"
    )
