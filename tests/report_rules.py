"""How well the rules alone do: `python tests/report_rules.py [CONSTITUTION…] [--eval FOLDER]`.

For each constitution: the violating examples that rules catch, the complying ones they flag, and whether the
rules' own fixes mend what they catch. With `--eval`, the flags per thousand replies that others labelled `ok` or
`refusal`, one row a source.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from pathlib import Path

from guardrails import Constitution, Exchange, Guard

DOMAINS = ("finance", "medical", "legal", "general")


def guard_for(name: str) -> Guard:
    return Guard(Constitution.load(name), judge="rules", allow_unjudged=True, audit=None)


def judge(guard: Guard, prompt: str, reply: str, context: tuple[str, ...] = ()):
    return guard.review(Exchange(prompt).messages if prompt else (), reply, context=context)


def examples(name: str, *, verbose: bool = True) -> Counter[str]:
    guard, count = guard_for(name), Counter()
    for principle in guard.constitution.principles:
        for example in principle.examples:
            outcome = judge(guard, example.prompt, example.reply, example.context)
            found = {v.principle for v in outcome.attempts[0].verdicts if v.violates}
            side = "violates" if example.violates else "complies"
            count[side] += 1
            if example.violates:
                count["caught"] += principle.id in found
                count["caught by another"] += principle.id not in found and bool(found)
                count["mended"] += principle.id in found and outcome.status == "revised"
                if verbose and principle.checks and principle.id not in found:
                    print(f"  missed  {principle.id}: {example.reply}")
                if verbose and found and outcome.status == "blocked":
                    print(f"  blocked {principle.id} {sorted(found)}: {example.reply} -> {outcome.attempts[-1].draft}")
            else:
                count["flagged"] += bool(found)
                if verbose and found:
                    print(f"  FLAGGED {principle.id} by {sorted(found)}: {example.reply}")
    return count


def evaluation(folder: Path, names: tuple[str, ...], *, verbose: bool = True) -> None:
    guards = {name: guard_for(name) for name in names}
    print(
        f"\n{'source':<28}{'replies':>8}"
        + "".join(f"{name:>10}" for name in names)
        + "   (flags per 1,000 ok or refusal)"
    )
    for path in sorted(folder.glob("*.jsonl")):
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        rows = [row for row in rows if row["reply"] and row["label"] in {"ok", "refusal"}]
        if not rows:
            continue
        flags: Counter[str] = Counter()
        why: Counter[tuple[str, str]] = Counter()
        for row in rows:
            for name, guard in guards.items():
                found = {
                    v.principle for v in judge(guard, row["prompt"], row["reply"]).attempts[0].verdicts if v.violates
                }
                flags[name] += bool(found)
                why.update((name, principle) for principle in found)
        cells = "".join(f"{1000 * flags[name] / len(rows):>10.1f}" for name in names)
        print(f"{path.stem:<28}{len(rows):>8}{cells}")
        if verbose:
            for (name, principle), times in why.most_common():
                print(f"    {times:>4}  {name} {principle}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("constitutions", nargs="*", default=DOMAINS)
    parser.add_argument("--eval", type=Path)
    parser.add_argument("--quiet", action="store_true")
    options = parser.parse_args()
    names = tuple(options.constitutions)
    for name in names:
        count = examples(name, verbose=not options.quiet)
        print(
            f"{name}: caught {count['caught']} of {count['violates']} violating examples "
            f"({count['mended']} mended by rules; {count['caught by another']} more caught by another principle), "
            f"flagged {count['flagged']} of {count['complies']} complying ones"
        )
    if options.eval:
        evaluation(options.eval, names, verbose=not options.quiet)


if __name__ == "__main__":
    main()
