"""Inputs of `fuzz.py` whose cost could grow faster than their length: one part of a file, over and over."""

from fuzz_inputs import mutated

_HALF = 0.5
_HEAD = 'name: a\nversion: "1"\n'
_RULE = "principles:\n- id: a-one\n  title: t\n  severity: high\n  rule: r\n"
_LONG = "x" * 19_000
_AMPLIFIED = [
    (_HEAD + _RULE, "kNUMBER: 1\n", ""),
    (_HEAD + _RULE + "extends: [", "eNUMBER,", "]\n"),
    (_HEAD + _RULE + "extends: [", "base.yaml,", "]\n"),
    (_HEAD + _RULE + "extends: [", "general,", "]\n"),
    (_HEAD + _RULE + "disable: [", "NUMBER,", "]\n"),
    (_HEAD + _RULE + "disable: [", "dNUMBER,", "]\n"),
    (_HEAD + _RULE + "variables: {", "vNUMBER: 1,", "}\n"),
    (_HEAD + _RULE + "variables: {a: 1}\nfacts: [", "'{{a}}NUMBER',", "]\n"),
    (_HEAD + _RULE + "variables: {a: 1}\nfacts: [", "'{{bNUMBER}}',", "]\n"),
    (_HEAD + _RULE + "variables: {a: 1}\nfacts: [", "'" + "{{a}}" * 18 + "NUMBER',", "]\n"),
    (_HEAD + _RULE + "variables: {a: 1}\nfacts: [", "'{% if a %}{% elif a %}NUMBER{% endif %}',", "]\n"),
    (_HEAD + _RULE + "variables: {a: 1}\nfacts: [", "'{{ a" + "+a" * 20 + " }}NUMBER',", "]\n"),
    (_HEAD + _RULE + "variables: {a: 1}\nfacts: [", "'{{a}}NUMBER" + "x" * 120 + "',", "]\n"),
    (_HEAD + _RULE + "variables: {a: 1}\nfacts: [", "'{{a" + "~a" * 22 + "}}NUMBER" + "x" * 80 + "',", "]\n"),
    (_HEAD + _RULE + "variables: {a: 1}\nfacts: [", "'{{a" + "+a" * 22 + "}}NUMBER" + "x" * 80 + "',", "]\n"),
    (_HEAD + _RULE + "variables: {a: 1}\nfacts: [", "'{{b" + "~a" * 22 + "}}NUMBER" + "x" * 80 + "',", "]\n"),
    (_HEAD + _RULE + f"variables: {{a: {_LONG[:1990]}}}\nfacts: [", "'{{a}}{{a}}{{a}}NUMBER" + "x" * 120 + "',", "]\n"),
    (_HEAD + _RULE + "variables: {a: 1}\nfacts: ['", "{{ a }}{% if a %}NUMBER{% endif %}", "']\n"),
    (_HEAD + _RULE + f"variables: {{a: {_LONG[:1990]}}}\nfacts: [", "'{{a}}NUMBER',", "]\n"),
    (_HEAD + _RULE + f"title: &a {_LONG}\nfacts: [", "*a ,", "]\n"),
    (_HEAD + _RULE + "variables: {a: 1}\ntitle: &a '" + "{{ a }}" * 900 + "'\nfacts: [", "*a ,", "]\n"),
    (_HEAD + _RULE + "  checks:\n  - pattern: [", "'aNUMBER',", "]\n"),
    (_HEAD + _RULE + "  checks:\n  - pattern: [", "'.{999}NUMBER',", "]\n"),
    (_HEAD + _RULE + "  checks:\n  - pattern: [", "'\\pL{9}NUMBER',", "]\n"),
    (_HEAD + _RULE + "  checks:\n  - pattern: [", "'\\pL{999}NUMBER',", "]\n"),
    (_HEAD + _RULE + "  checks:\n  - pattern: [", "'[" + "\\PL" * 40 + "]NUMBER',", "]\n"),
    (_HEAD + _RULE + "  checks:\n  - pattern: [", "'(NUMBER',", "]\n"),
    (_HEAD + _RULE + "  checks: [", "{pattern: 'aNUMBER', unless: {clause: 'bNUMBER'}},", "]\n"),
    (_HEAD + _RULE + "  checks: [", "{patern: aNUMBER},", "]\n"),
    (_HEAD + _RULE + "  examples: [", "{violates: eNUMBER},", "]\n"),
    (_HEAD + _RULE + "  examples: [", "{violates: eNUMBER, complies: a},", "]\n"),
    (_HEAD + _RULE + "  examples: [", "{a: NUMBER},", "]\n"),
    (_HEAD + _RULE + "  jurisdictions: [", "NUMBER,", "]\n"),
    (_HEAD + _RULE + "  only_if: {", "vNUMBER: [],", "}\n"),
    (_HEAD + "variables: {vNUMBER: 1}\n" + _RULE + "  only_if: {", "vNUMBER: 1,", "}\n"),
    (_HEAD + _RULE, "- {id: p-NUMBER, title: t, severity: low, rule: r}\n", ""),
    (_HEAD + _RULE, "- {id: p, title: t, severity: low, rule: r}\n", ""),
    (_HEAD + _RULE, "- {severity: lowNUMBER}\n", ""),
    (_HEAD + _RULE, "- {}\n", ""),
    (_HEAD + _RULE, "-\n", ""),
    (_HEAD + _RULE + "title: {", "kNUMBER: 1,", "}\n"),
    (_HEAD, "a: &aNUMBER 1\n", _RULE),
    ("", "%TAG !aNUMBER! b\n", "---\n" + _HEAD + _RULE),
    ("", "# NUMBER\n", _HEAD + _RULE),
]


def amplified(rng, length):
    """Something whose cost could grow faster than its length: one part of a file, over and over."""
    before, one, after = rng.choice(_AMPLIFIED)
    mixed = rng.random() < _HALF
    other = rng.choice(_AMPLIFIED)[1] if mixed and "\n" not in one else one
    parts, size, number = [before], len(before) + len(after), rng.randrange(1000)
    while size < length - 200:  # longer than each part
        parts.append((other if number % 7 == 0 else one).replace("NUMBER", str(number)))
        size, number = size + len(parts[-1].encode()), number + 1
    return (
        mutated("".join([*parts, after]).encode(), rng) if rng.random() < _HALF else "".join([*parts, after]).encode()
    )
