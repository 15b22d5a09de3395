"""Replies that a program reads: told apart from prose, judged by what they say, never edited."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrails import Constitution, Guard
from guardrails.structured import texts_of

YAML = """
name: small
version: "1"
principles:
  - id: no-promise
    title: No promise
    severity: high
    rule: Promise nothing.
    checks:
      - {pattern: '必ず', decides: true, unless: {quoted: true}, fix: {replace: {ja: おそらく}}}
"""
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), lambda v: st.lists(v) | st.dictionaries(st.text(), v)
)


@pytest.fixture
def guard(tmp_path):
    (tmp_path / "c.yaml").write_text(YAML, encoding="utf-8")
    return Guard(Constitution.load(tmp_path / "c.yaml"), audit=None)


@given(st.lists(values) | st.dictionaries(st.text(), values))
def test_json_is_data_and_all_its_texts_are_seen(value):
    """Every list and object is data, however it is escaped, and each of its strings is among the texts."""

    def strings(item):
        if isinstance(item, dict):
            return [text for pair in item.items() for part in pair for text in strings(part)]
        if isinstance(item, list):
            return [text for part in item for text in strings(part)]
        return [item] if isinstance(item, str) else []

    for ascii_only in (True, False):
        texts = texts_of(json.dumps(value, ensure_ascii=ascii_only))
        assert texts is not None
        assert set(strings(value)) <= set(texts)


@pytest.mark.parametrize("reply", ["", "It fell.", "[see the table] It fell.", "{not json", '"It fell."', "12", "null"])
def test_prose_is_prose(reply):
    """What is not a list or an object is prose, quoted or not."""
    assert texts_of(reply) is None


@pytest.mark.parametrize("form", ["{}", "\ufeff{}", "```json\n{}\n```", "```\n{}\n```", ' {}\n{{"b": 1}}\n'])
@pytest.mark.parametrize("ascii_only", [True, False])
def test_data_is_judged_and_never_edited(guard, form, ascii_only):
    """Escaped, fenced or in lines: what data says is found, nothing of it is edited, and clean data passes."""
    bad = form.replace("{}", json.dumps({"answer": "この株は必ず儲かります。"}, ensure_ascii=ascii_only)).replace(
        "{{", "{"
    )
    bad = bad.replace("}}\n", "}\n")
    assert guard.review("q", bad).status == "blocked"
    clean = bad.replace("必ず", "たぶん").replace("\\u5fc5\\u305a", "\\u305f")
    outcome = guard.review("q", clean)
    assert (outcome.status, outcome.text) == ("passed", clean)
