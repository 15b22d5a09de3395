"""The inputs of `fuzz.py`: seeds, what is hostile, and how one is made of the other."""

import json
import re
from time import perf_counter

EVERYTHING = r"""
name: acme-bank
version: "2.1.0"
title: {en: Acme, ja: アクメ銀行}
extends: [base.yaml]
disable: [b-other]
variables: {bank: Acme Bank, is_licensed: true, limit: 250, share: 0.5}
facts: [{en: "Insured up to ${{ limit }}."}]
fallback: {en: "Please call {{ bank }}.", ja: "{{ bank }}までお電話ください。"}
warning: "{% if is_licensed %}Ask us.{% else %}Ask {{ bank|upper }}.{% endif %}"
settings: {max_revisions: 2, exhausted: [append, block]}
expect: {recall: 0.9, precision: .8, over_refusal: 1e-2, disagreement: 0}
principles:
- &first
  id: a-rule
  title: {en: No promises, ja: 断定の禁止}
  severity: high
  rule: |
    Never promise {{ bank }} anything.
  on_violation: revise
  on_undecided: allow
  jurisdictions: [US, JP]
  only_if: {is_licensed: true}
  scope: sentence
  applies_to: [reply, tool_calls]
  authority:
  - {cite: "FINRA Rule 2210(d)(1)(B)", verified: primary, checked_on: 2026-11-23, note: read}
  critique: {en: Look for certainty.}
  revision: >-
    Swap the certainty word
    for a calibrated one.
  preserve: [amounts, dates]
  threshold: 60
  escalate: desk
  effective: 2026-01-01
  expires: 2027-12-31
  owner: me
  expect: {recall: 1}
  checks:
  - pattern: ['(guarantee[ds]?)\b.{0,40}\breturns?\b', '(必ず).{0,12}儲か']
    unless: {before: [no, not], clause: ['\bif\b'], sentence: ['\?$'], quoted: true}
    fix: {replace: {en: 'may \1', ja: ことがある}, sentence: false}
  - require: 'past performance .{0,40}not'
    when: '\d+\s?%'
    when_prompt: [returns]
    append: {en: "Past performance does not predict {{ bank }}."}
    decides: true
  - {grounded: [amounts, percentages], decides: false}
  - {personal_data: [card, iban], fix: {mask: true}}
  examples:
  - violates: "It is guaranteed to return 8%."
    revised: "It may return 8%."
    prompt: Safe?
    context: [sheet, "Fund: 8%"]
    lang: en
  - {complies: "No investment is guaranteed.", note: a denial}
- id: b-rule
  title: t
  severity: low
  rule: r
"""
NEIGHBOURS = {
    "base.yaml": 'name: base\nversion: "1"\nprinciples:\n- {id: b-other, title: t, severity: low, rule: r}\n',
    "loop.yaml": 'name: loop\nversion: "1"\nextends: [loop.yaml, c.yaml]\n',
    **{f"deep{n}.yaml": f'name: d\nversion: "1"\nextends: [deep{n + 1}.yaml, ./deep{n + 1}.yaml]\n' for n in range(60)},
}
_TEXTS = """\
--- ... %YAML\x201.1 %TAG\x20!a!\x20b &a *a *first <<: !!str !!binary !!python/object:os.system !<tag:%0A> !<%ED%A0%80>
? - : | > |2- >+9 [ ] { } , # ' " @ ` {{ }} {% %} {# -- '' "" \\ \\x41 "\\ud800" "\\0" "\\uD83D\\uDE00" "\\x1b[2J"
~ null true yes .inf .nan -.Inf 1e999 1e-999 -0 0o7 0x 0xffffffffffffffff 999999999999999999999999999999999999999999
1_000 2026-13-45 2026-11-23T00:00:00Z 0001-01-01 20261123 86400 1763856000 1e10 -1 101 50.5 "50" =
{{bank}} {{nope}} {{bank.__class__}} {{bank|nope}} {{bank|join(bank)}} {{1/0}} {{'a'*9**9}} {{bank[0]}} {{"\\ud800"}}
{%set\x20b=bank%} {%for\x20x\x20in\x20bank%} {%if\x20bank%} {%elif\x20bank%} {%else%} {%endif%} {%raw%} {%endraw%}
{%block\x20a%} {%include'a'%} {%import\x20'a'\x20as\x20b%} {%extends\x20'a'%} {{self}} {{loop}} {{caller}} {{[bank]}}
{{bank~bank}} {{-bank}} {{not\x20bank}} {{bank\x20if\x20bank}} {{(((bank)))}} {{bank\x20is\x20defined}} {{None}} {#
a* () (?=a) (?!a) (?<a>b) (?P<é>b) \\pL{9} .{999} (a{9}){9} \\C \\Q\\E [[:word:]] [^a] (?s).* ^$ \\b \\z a**
[z-a] \\p{Han}
base.yaml loop.yaml deep0.yaml deep30.yaml pipe.yaml link.yaml empty . .. / ~ /dev/zero /dev/null /dev/stdin /dev/tty
/proc/self/mem /proc/self/environ /proc/self/fd/0 /proc/kmsg /proc/self/root/dev/zero file:///etc/passwd c.yaml/ general
id name version title severity critical low rule on_violation block flag scope reply authority checks pattern require
when unless fix replace delete mask sentence grounded amounts personal_data examples violates complies revised extends
disable variables facts fallback settings exhausted append principles only_if threshold effective expect recall lang
"""
TOKENS = [token.encode() for token in _TEXTS.split()]
TOKENS += [token.replace(b"\\x20", b" ") for token in TOKENS if b"\\x20" in token]
TOKENS += [
    *(
        b"\0",
        b"\xef\xbb\xbf",
        b"\xff\xfe",
        b"\xed\xa0\x80",
        b"\xc0\x80",
        b"\x85",
        b"\xe2\x80\xa8",
        b"\r",
        b"\r\n",
        b"\t",
    ),
    *(b"\n", b"\n\n", b"  ", b"\n  ", b"\n- ", b"\n---\n", b"\n...\n", b": ", b" #", "全角：".encode(), "😀".encode()),
    *(b"[" * 40, b"{a: " * 40, b"- " * 40, b"? " * 9, b"../" * 1400, b"x" * 5000, b"9" * 400, b"0x" + b"f" * 400),
    *(
        b"{{" + b"(" * 300,
        b"{{" + b"not " * 300 + b"a}}",
        b"{% if bank %}" * 120,
        b"(" * 1500,
        b"a{1000}" * 5,
        b"{{" * 99,
    ),
]
_TOKEN = re.compile(rb"[\w.-]+|[^\w\s]|\s+")


_HALF, _SHORT = 0.5, 60


def seeds():
    """Files to begin with, each with the place it belongs to: a file, a folder's main file, a principle's file."""
    from guardrails.constitution import shipped

    small = EVERYTHING.encode()
    principle = (
        small.split(b"principles:\n")[1].split(b"- id: b-rule")[0].replace(b"- &first\n", b"").replace(b"\n  ", b"\n")
    )
    main = small.split(b"principles:\n")[0]
    found = [(0, small), (1, main), (2, principle.removeprefix(b"  ")), (0, small)] * 15
    for folder in shipped().values():
        found.append((1, (folder / "constitution.yaml").read_bytes()))
        for file in sorted(folder.glob("principles/*.yaml")):
            raw = file.read_bytes().replace(file.stem.encode(), b"a-rule")
            found += [(2, _shortened(raw))] * 2
        found.append((2, raw))
    return found


def _shortened(raw):
    """A principle with the first items of its lists."""
    blocks = re.split(rb"(?m)^(?=\w)", raw)
    return b"".join(b"".join(re.split(rb"(?m)^(?=  ?- )", block)[:2]) for block in blocks)


def mutated(raw, rng):
    """The same with one to five changes."""
    for _ in range(rng.choice((1, 1, 1, 2, 2, 3, 5))):
        raw = rng.choice(_CHANGES)(raw, rng)
    return raw


def stretched(raw, rng, length):
    """A piece of it, or a hostile token, repeated up to the length, each time with a number of its own."""
    lines = raw.splitlines(keepends=True) or [b""]
    start = rng.randrange(len(lines))
    piece = rng.choice((rng.choice(TOKENS), rng.choice(lines), b"".join(lines[start : start + rng.randint(1, 12)])))
    piece = piece or b" "
    numbered = rng.random() < _HALF
    parts, size = [], 0
    while size < length:
        parts.append(piece.replace(b"\n", b"%d\n" % len(parts)) if numbered else piece)
        parts.append(rng.choice((b"", b"", b",", b" ", b"\n")) if not numbered else b"%d," % len(parts))
        size += len(parts[-1]) + len(parts[-2])
    return b"".join([*lines[:start], *parts, *lines[start:]])[:length]


def _flip(raw, rng):
    at = rng.randrange(len(raw) or 1)
    return raw[:at] + bytes([rng.randrange(256)]) + raw[at + 1 :]


def _insert(raw, rng):
    at = rng.randrange(len(raw) + 1)
    return raw[:at] + rng.choice(TOKENS) + raw[at:]


def _cut(raw, rng):
    at = rng.randrange(len(raw) + 1)
    return raw[:at] + raw[at + rng.randint(1, 40) :]


def _splice(raw, rng):
    one, other = sorted((rng.randrange(len(raw) + 1), rng.randrange(len(raw) + 1)))
    at = rng.randrange(len(raw) + 1)
    return raw[:at] + raw[one : min(other, one + 500)] + raw[at:]


def _lines(raw, rng):
    lines = raw.splitlines(keepends=True) or [b""]
    one, other = rng.randrange(len(lines)), rng.randrange(len(lines))
    match rng.randrange(5):
        case 0:
            lines.insert(other, lines[one])
        case 1:
            lines[one], lines[other] = lines[other], lines[one]
        case 2:
            lines[one] = b" " * rng.randint(1, 5) + lines[one]
        case 3:
            lines[one] = lines[one].lstrip()
        case _:
            del lines[one]
    return b"".join(lines)


def _token(raw, rng):
    """One token becomes another: of the same text, or a hostile one."""
    tokens = _TOKEN.findall(raw) or [b""]
    at = rng.randrange(len(tokens))
    tokens[at] = rng.choice(tokens) if rng.random() < _HALF else rng.choice(TOKENS)
    return b"".join(tokens)


def _value(raw, rng):
    """What stands behind one colon becomes something else."""
    colons = [match.end() for match in re.finditer(rb": ", raw)] or [0]
    at = rng.choice(colons)
    end = re.compile(rb"[,}\]\n]|$").search(raw, at).start()
    return raw[:at] + rng.choice(TOKENS) + raw[end:]


def _encoded(raw, rng):
    text = raw.decode("utf-8", "replace")
    return text.encode(rng.choice(("utf-16", "utf-32", "utf-16-le", "latin-1", "utf-8-sig", "utf-7")), "replace")


_CHANGES = (_flip, _insert, _insert, _cut, _splice, _lines, _lines, _token, _token, _token, _value, _value, _value) * 4
_CHANGES += (_encoded,)


def hypothesis_inputs(count, first, seconds):
    """Data of the schema's shape, in which any part may be of a wrong kind."""
    from hypothesis import HealthCheck, Phase, given, seed, settings

    began, made = perf_counter(), 0
    quiet = {"database": None, "deadline": None, "phases": [Phase.generate], "suppress_health_check": HealthCheck}
    while made < count and perf_counter() - began < seconds:
        inputs = []

        @seed(first + made)
        @settings(max_examples=min(2000, count - made), **quiet)
        @given(shaped())
        def collect(one):
            inputs.append(one)

        collect()
        made += len(inputs)
        yield from inputs


def shaped():
    """A strategy: a file of the schema's shape with some keys left out and strange values put somewhere; its place."""
    from hypothesis import strategies as st

    from guardrails.constitution._yaml import parse

    whole = json.dumps(parse(EVERYTHING.encode(), "").data)
    words = [token.decode("utf-8", "replace") for token in TOKENS if len(token) <= _SHORT]
    scalar = st.sampled_from(words) | st.text(max_size=20) | st.integers() | st.floats() | st.booleans() | st.none()
    strange = st.recursive(
        scalar, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(words), inner, max_size=3)
    )
    step = st.tuples(
        st.lists(st.integers(0, 50), min_size=1, max_size=6), st.sampled_from(["set", "add", "drop"]), strange
    )

    def built(place, steps):
        data = json.loads(whole)
        listed = data["principles"] if place == 0 else data.pop("principles")
        data = listed[0] if place == 2 else data  # noqa: PLR2004 - the principle's file
        for way, act, value in steps:
            _changed(data, way, act, value)
        return json.dumps(data).encode(), place

    return st.builds(built, st.integers(0, 2), st.lists(step, max_size=4))


def _changed(data, way, act, value):
    """Follow the numbers down to some part of it, and set, add or drop a value there."""
    part, key = data, None
    for number in way:
        inner = part[key] if key is not None else part
        if not isinstance(inner, dict | list) or not inner:
            break
        part, keys = inner, list(inner) if isinstance(inner, dict) else range(len(inner))
        key = keys[number % len(keys)]
    if act == "drop":
        del part[key]
    elif act == "add" and isinstance(part, dict):
        part[str(value)[:40]] = value
    else:
        part[key] = value
