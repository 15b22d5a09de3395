#!/usr/bin/env python
"""Makes docs/policy.md from the policy itself, so that the page cannot say anything else than the code does.

`python docs/make_policy.py` prints the page; `--check` exits 1 where docs/policy.md is another one. To renew it::

    python docs/make_policy.py > docs/policy.md
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path

from guardrails import Constitution, Decision, Verdict
from guardrails._policy import Block, OnError, Release, Revise, decide, flagged, settled

PAGE = Path(__file__).parent / "policy.md"
ON_VIOLATION = ("revise", "block", "flag")
ON_UNDECIDED = ("block", "allow")
ON_ERROR: tuple[OnError, ...] = ("block", "unsafe_allow")
ANY = "any"
THRESHOLD = 50

# What a judge may say of one principle.
KINDS = {
    "complies": {"decision": Decision.COMPLIES},
    "violates": {"decision": Decision.VIOLATES, "confidence": THRESHOLD},
    "violates, confidence below the threshold": {"decision": Decision.VIOLATES, "confidence": THRESHOLD - 1},
    "undecided: the judge could not tell": {"decision": Decision.UNDECIDED},
    "undecided: the check failed": {"decision": Decision.UNDECIDED, "failed": True},
}
# What may stand side by side in a round: a name, the kind of verdict, and what its principle says.
SIDE_BY_SIDE = {
    "violates (block)": ("violates", "block", "block"),
    "violates (revise)": ("violates", "revise", "block"),
    "violates (flag)": ("violates", "flag", "block"),
    "undecided": ("undecided: the judge could not tell", "revise", "block"),
    "failed": ("undecided: the check failed", "revise", "block"),
    "undecided (allow)": ("undecided: the judge could not tell", "revise", "allow"),
    "complies": ("complies", "revise", "block"),
}

HEAD = """\
# The policy

What becomes of a draft, given its verdicts. This page is made from the code by `docs/make_policy.py`, which asks
`guardrails._policy.decide` for every ruling below; a test fails where the two differ.

- **release**: the draft goes out, as `passed` if it is the reply as it came, else as `revised`.
- **release, flagged**: the same, and the outcome names the principle in `flags`.
- **revise**: the violations have to be mended, and the new draft is judged again.
- **block**: nothing of the draft goes out; the cause stands in brackets.

`on_violation` and `on_undecided` stand in the principle's YAML, `on_error` is an option of the guard.

## One verdict
"""

PAIRS = """\

## Two verdicts, on different principles

The graver ruling wins, whatever the number of verdicts and their order. What a principle says stands in brackets;
`on_error` is `block`.
"""

SAME = """\

## Two judges on one principle

Each verdict counts by itself: one judge's `complies` does not answer another's question. A violation does, because
the principle is known to be broken then.
"""

TAIL = """\

## In words

**Revisions.** Violations of `revise` principles are mended while there are revisions left (`max_revisions`, 2 if
nothing is said): first by the fixes that stand in the YAML, then by the reviser, if the guard has one, for what the
fixes leave. After every revision all principles are judged again, since mending one may break another. An edit that
states a fact which neither its sentence, nor the conversation, nor its context, nor the constitution holds breaks
`revision-fidelity`: that draft is not even judged, the reviser is told why, and its next try starts from the draft
before. A draft that was seen before ends the revising, and so does a reply that is JSON, which is never edited. Where
the reviser breaks, the reply is blocked with the cause `error`; where the time, the calls or the tokens of the budget
are used up, with the cause `budget`.

**When revisions run out**, the constitution's `exhausted` ladder is climbed rung by rung: `append` adds the
constitution's warning and has the result judged once more, `block` ends it. A warning does not overrule anybody: the
draft with it is released only where its verdicts permit. The ladder always ends with `block`.

**No verdict at all** blocks, with the cause `undecided`: that nobody looked is no pass. A principle that no judge
covers (`unjudged`) has no verdict. It keeps a guard from being built, unless `allow_unjudged=True` says that it may
stand; then it stops nothing by itself, and every outcome and record names it. Where all of them are unjudged, the draft
is released only if the constitution has checks, which looked at it and found nothing; without any it is blocked.

**Thresholds.** A judge may say how sure it is, from 0 to 100. A violation with less confidence than the principle's
`threshold` (50 if nothing is said) counts as `complies`, and the record keeps the confidence and the reason. Rules
are sure (100); a verdict without a confidence counts in full.
"""


def main() -> int:
    """Print the page, or with `--check` say whether docs/policy.md is that page."""
    if sys.argv[1:] not in ([], ["--check"]):
        sys.stderr.write("usage: python docs/make_policy.py [--check]\n")
        return 2
    made = page()
    if not sys.argv[1:]:
        sys.stdout.buffer.write(made.encode())
        return 0
    if PAGE.exists() and PAGE.read_text(encoding="utf-8") == made:
        return 0
    sys.stderr.write("docs/policy.md is out of date; renew it: python docs/make_policy.py > docs/policy.md\n")
    return 1


def page() -> str:
    """The whole page."""
    constitution = _constitution()
    one = _table(["the verdict", "`on_violation`", "`on_undecided`", "`on_error`", "ruling"], _single(constitution))
    none = f"| none at all | {ANY} | {ANY} | {ANY} | {_ruling(constitution, [], 'block')} |\n"
    pairs = _table(["and", *SIDE_BY_SIDE], _pairs(constitution))
    same = _table(["one judge", "the other", "ruling"], _same(constitution))
    return HEAD + "\n" + one + none + PAIRS + "\n" + pairs + SAME + "\n" + same + TAIL


def _single(constitution: Constitution) -> Iterator[list[str]]:
    """A row for each ruling; where an option makes no difference it says `any`."""
    for kind in KINDS:
        rulings = {
            values: _ruling(constitution, [_verdict(kind, *values[:2])], values[2])
            for values in product(ON_VIOLATION, ON_UNDECIDED, ON_ERROR)
        }
        for *cells, ruling in _merged(rulings):
            yield [kind, *cells, ruling]


def _merged(rulings: dict[tuple[str, ...], str]) -> Iterator[list[str]]:
    """The rulings by the first option, then by the next, without those options that change nothing."""
    if not next(iter(rulings)):
        yield list(rulings.values())
        return
    parts: dict[str, dict[tuple[str, ...], str]] = {}
    for (first, *rest), ruling in rulings.items():
        parts.setdefault(first, {})[tuple(rest)] = ruling
    first_part, *others = parts.values()
    if all(part == first_part for part in others):
        parts = {ANY: first_part}
    for value, part in parts.items():
        for row in _merged(part):
            yield [f"`{value}`" if value != ANY else ANY, *row]


def _pairs(constitution: Constitution) -> Iterator[list[str]]:
    for row, one in SIDE_BY_SIDE.items():
        verdicts = [[_verdict(*one), _verdict(*other, "second")] for other in SIDE_BY_SIDE.values()]
        yield [f"**{row}**", *(_ruling(constitution, pair, "block") for pair in verdicts)]


def _same(constitution: Constitution) -> Iterator[list[str]]:
    for on_violation in ON_VIOLATION:
        pair = [_verdict(kind, on_violation) for kind in ("violates", "undecided: the judge could not tell")]
        yield [f"violates ({on_violation})", "undecided", _ruling(constitution, pair, "block")]
    for kind in ("violates", "undecided: the judge could not tell"):
        pair = [_verdict("complies", "revise"), _verdict(kind, "revise")]
        yield ["complies", kind.partition(":")[0], _ruling(constitution, pair, "block")]


def _ruling(constitution: Constitution, verdicts: Sequence[Verdict], on_error: OnError) -> str:
    counted = [settled(constitution, verdict) for verdict in verdicts]
    match decide(constitution, counted, on_error):
        case Release(unsafe):
            named = ["flagged"] if flagged(constitution, counted) else []
            named += [f"and the outcome's `unsafe` names `{name}`" for name in unsafe]
            return ", ".join(["release", *named])
        case Revise():
            return "revise"
        case Block(cause):
            return f"block ({cause.value})"


def _verdict(kind: str, on_violation: str, on_undecided: str = "block", which: str = "first") -> Verdict:
    return Verdict(f"{on_violation}-{on_undecided}-{which}", judge="a-judge", **KINDS[kind])


def _constitution() -> Constitution:
    """One with two principles for each combination of what a principle may say."""
    text = 'name: policy\nversion: "1"\nprinciples:\n' + "".join(
        f"  - {{id: {violation}-{undecided}-{which}, title: T, rule: R, severity: high, threshold: {THRESHOLD}, "
        f"on_violation: {violation}, on_undecided: {undecided}}}\n"
        for violation, undecided, which in product(ON_VIOLATION, ON_UNDECIDED, ("first", "second"))
    )
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "policy.yaml")
        file.write_text(text, encoding="utf-8")
        return Constitution.load(file)


def _table(head: Sequence[str], rows: Iterator[list[str]]) -> str:
    lines = [list(head), ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


if __name__ == "__main__":
    sys.exit(main())
