"""How long a domain team waits for `guardrails lint` and `guardrails test`, beside the size of what they read.

A constitution of 300 principles with 5,000 examples, and one of a tenth of that: patterns with excuses and fixes,
required statements, personal data and grounded figures, texts and examples in English and Japanese. Each principle
has words of its own. Both commands run as they are typed, in processes of their own: medians of ROUNDS (three), with
the lowest and the highest, the median of the processor's time, and the most memory that one of them held. What grows
linearly is `x 10`, or less, for starting takes the same time for both.

    python benchmarks/authoring.py [ROUNDS]
"""

import os
import statistics
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter

PRINCIPLES, EXAMPLES = 300, 5_000
KINDS = ("pattern", "fix", "require", "personal", "grounded")
NOUNS = ("fee", "loan", "bond", "card", "claim", "policy", "deposit", "pension", "invoice", "transfer")
VERBS = ("waive", "refund", "approve", "insure", "double", "extend", "cancel", "backdate", "guarantee", "upgrade")
PLACES = ("branch", "hotline", "portal", "desk", "office", "clinic", "agency", "bureau", "counter", "helpdesk")
MAIN = """\
name: acme
version: "1.0.0"
title: {en: Acme, ja: アクメ}
variables: {bank: Acme Bank}
fallback: {en: "Please call {{ bank }}.", ja: "{{ bank }}までお電話ください。"}
"""
HEAD = """\
id: {name}
title: {{en: No promise to {verb} a {noun} at the {place}, ja: {code}の約束の禁止}}
severity: {severity}
scope: {scope}
authority:
- {{cite: "Acme Bank, Rule Book, section {number}", verified: primary, checked_on: {today}}}
rule:
  en: Never promise that {{{{ bank }}}} will {verb} the {noun} numbered {code} at the {place}.
  ja: "{{{{ bank }}}}が{code}を必ず実行すると約束してはならない。"
checks:
"""
CHECKS = {
    "pattern": r"""- pattern: ['\bwill (?:surely |certainly )?{verb} {code}\b', '{code}を必ず']
  unless: {{before: [no, not, never], sentence: ['\?$', 'ではありません$'], quoted: true}}
""",
    "fix": r"""- pattern: ['\bwill {verb} {code}\b', '{code}を必ず']
  unless: {{before: [no, not, never], sentence: ['\?$'], quoted: true}}
  fix: {{replace: {{en: 'may {verb} {code}', ja: '{code}を場合により'}}}}
""",
    "require": r"""- require: ['the {place} decides on {code}', '{code}は審査']
  when: ['\b{verb} {code}\b', '{code}を']
  append: {{en: "Only the {place} decides on {code}.", ja: "{code}は審査があります。"}}
  decides: true
""",
    "personal": """- personal_data: [card, email]
  fix: {mask: true}
  decides: true
""",
    "grounded": """- grounded: [amounts, percentages]
""",
}
SAYS = {
    "pattern": ("We will {verb} {code} for you{n}.", "ご依頼{n}の{code}を必ず実行します。"),
    "fix": ("We will {verb} {code} for you{n}.", "ご依頼{n}の{code}を必ず実行します。"),
    "require": ("You can {verb} {code} today{n}.", "本日{n}、{code}を実行できます。"),
    "personal": ("Write to {code}{n}@example.org about the {noun}.", "{code}{n}@example.orgへご連絡ください。"),
    "grounded": ("The {noun} {code} costs $7{n} a year.", "{code}の費用は年間7{n}円です。"),
}
KEEPS = {
    "pattern": ("We will not {verb} {code} for you{n}.", "{code}{n}についてはお答えできません。"),
    "fix": ("Will we {verb} {code} for you{n}?", "{code}{n}についてはお答えできません。"),
    "require": ("You can {verb} {code} today{n}; the {place} decides on {code}.", "{code}は審査の上で{n}決まります。"),
    "personal": ("Write to the {place} about the {noun} {code}{n}.", "{code}{n}は窓口へご連絡ください。"),
    "grounded": ("The {noun} {code} costs $250 a year, case{n}.", "{code}{n}の費用は窓口でご確認ください。"),
}


def spelled(number):
    """A word that no other number has, and no digits."""
    letters = "bcdfghjklm"
    return "".join(letters[int(digit)] + "aeiou"[at % 5] for at, digit in enumerate(f"{number:04d}"))


def principle(number, examples):
    """One principle's file; of the examples two in four are in English, two violate, and one is a near miss."""
    kind = KINDS[number % len(KINDS)]
    words = {
        "name": f"acme-{spelled(number)}",
        "number": number,
        "code": spelled(number),
        "noun": NOUNS[number % 10],
        "verb": VERBS[number // 10 % 10],
        "place": PLACES[number // 100 % 10],
        "severity": ("critical", "high", "medium", "low")[number % 4],
        "scope": "reply" if kind == "require" else "sentence",
        "today": datetime.now(UTC).date().isoformat(),
    }
    check = CHECKS[kind] if kind in {"personal", "grounded"} else CHECKS[kind].format(**words)
    lines = [HEAD.format(**words), check, "examples:\n"]
    for index in range(examples):
        side, language = divmod(index, 2)
        says = (SAYS, KEEPS)[side % 2][kind][language].format(**words, n=f" {spelled(index)}")
        told = {0: f'- violates: "{says}"\n', 1: f'- complies: "{says}"\n  note: a denial, {spelled(index)}\n'}[
            side % 2
        ]
        sources = '  context: ["The fee is $250."]\n' if kind == "grounded" else ""
        lines.append(told + sources)
    return words["name"], "".join(lines)


def constitution(folder, principles, examples):
    """Write it; the bytes written."""
    (folder / "principles").mkdir(parents=True)
    (folder / "constitution.yaml").write_text(MAIN, encoding="utf-8")
    for number in range(principles):
        share = examples * (number + 1) // principles - examples * number // principles
        name, text = principle(number, share)
        (folder / "principles" / f"{name}.yaml").write_text(text, encoding="utf-8")
    return sum(file.stat().st_size for file in folder.rglob("*.yaml"))


def ran(command, folder):
    """Seconds, those of the processor, megabytes and exit code of one command, and the last line it printed."""
    began = perf_counter()
    words = [sys.executable, "-m", "guardrails", command, str(folder)]
    with tempfile.TemporaryFile() as printed:
        process = subprocess.Popen(words, stdout=printed, stderr=subprocess.STDOUT)  # noqa: S603 - our own command
        _, status, usage = os.wait4(process.pid, 0)
        took = perf_counter() - began
        printed.seek(0)
        lines = printed.read().decode().strip().splitlines()
    return (
        took,
        usage.ru_utime + usage.ru_stime,
        usage.ru_maxrss / 1024,
        os.waitstatus_to_exitcode(status),
        lines[-1].partition(". ")[0] if lines else "",
    )


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    with tempfile.TemporaryDirectory() as temporary:
        before = {}
        for part in (10, 1):
            principles, examples = PRINCIPLES // part, EXAMPLES // part
            folder = Path(temporary) / f"acme-{part}"
            size = constitution(folder, principles, examples)
            print(f"{principles:,} principles, {principles + 1:,} files, {size:,} bytes, {examples:,} examples")
            for command in ("lint", "test"):
                runs = [ran(command, folder) for _ in range(rounds)]
                times, busy = [run[0] for run in runs], statistics.median(run[1] for run in runs)
                growth = f", x {busy / before[command]:.1f}" if command in before else ""
                before[command] = busy
                print(
                    f"  guardrails {command}: {statistics.median(times):.2f} s ({min(times):.2f} to {max(times):.2f}), "
                    f"processor {busy:.2f} s{growth}, {max(run[2] for run in runs):.0f} MB at most"
                )
                print(f"    exit {runs[-1][3]}: {runs[-1][4]}")


if __name__ == "__main__":
    main()
