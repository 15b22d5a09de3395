"""The house keeps its own rules: small files, short functions, no drawer, one list of kinds."""

import ast
from pathlib import Path
from typing import get_args

import pytest

from guardrails import facts, personal_data
from guardrails.constitution import _types

FILES = sorted((Path(__file__).parent.parent / "guardrails").rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(FILES[0].parent).as_posix())
def test_a_file_holds_one_noun(path):
    """No file over 300 lines, no function over 50, no `utils`."""
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 300
    assert path.stem not in {"utils", "helpers", "misc"}
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            lines = node.end_lineno - body[0].lineno + 1 if body else 0
            assert lines <= 50, node.name


def test_the_kinds_that_yaml_may_name_are_those_that_are_found():
    """The schema spells them out for editors; the extractors decide."""
    assert get_args(_types.FactKind) == facts.KINDS
    assert get_args(_types.PersonalKind) == personal_data.KINDS
