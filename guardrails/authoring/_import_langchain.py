"""LangChain's principles in Python: `ConstitutionalPrinciple(name=…, critique_request=…, revision_request=…)`.

The file is parsed and never run.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator
from pathlib import PurePath

from guardrails.authoring._import_rule import Foreign, Reading
from guardrails.errors import ConfigurationError

_CLASS = "ConstitutionalPrinciple"
_TEXTS = ("name", "critique_request", "revision_request")
_UNNAMED = "Constitutional Principle"
_PAPER = "Bai et al. 2022, Constitutional AI (arXiv:2212.08073)"
_OBJECTIVES = "Samwald et al. 2023, UnifiedObjectives v0.2"


def read_langchain(text: str, reading: Reading) -> None:
    """Read every principle that a Python file makes, whatever it does with it.

    Raises:
        ConfigurationError: it is no Python.
    """
    try:
        with warnings.catch_warnings(action="ignore"):  # of the file's own: a stray backslash, say
            module = ast.parse(text)
    except SyntaxError as error:
        raise ConfigurationError(f"{reading.file}:{error.lineno or 0}: not Python: {error.msg}.") from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise ConfigurationError(f"{reading.file}: not Python that can be read ({type(error).__name__}).") from error
    package = _package(module)
    for key, call in _calls(module):
        _read_call(key, call, package, reading)


def _read_call(key: str, call: ast.Call, package: str, reading: Reading) -> None:
    texts = {word.arg: _text(word.value) for word in call.keywords if word.arg in _TEXTS}
    name = key or texts.get("name") or _UNNAMED
    others = [word.arg or "**" for word in call.keywords if word.arg not in _TEXTS]
    critique, revision = texts.get("critique_request"), texts.get("revision_request")
    if critique is None or revision is None or call.args or others:
        advice = "Write both requests out as texts, and nothing else but a name."
        reading.miss(call.lineno, f"{name}: not a principle that can be read without running the file.", advice)
        return
    cite = _cite(name, package, reading.file)
    reading.rules.append(Foreign(name, call.lineno, name, critique=critique, revision=revision, cite=cite))


def _cite(name: str, package: str, file: str) -> str:
    if not package:
        return f"{PurePath(file).name}, {name}"
    source = _OBJECTIVES if name.startswith("uo-") else _PAPER
    return f"{source}, as in LangChain ({package}.chains.constitutional_ai.principles, MIT), {name}"


def _package(module: ast.Module) -> str:
    """The package of LangChain that this is the principles' file of, empty for anybody else's file.

    Its own file imports the class from where it is written, and puts what it makes under `PRINCIPLES`.
    """
    assigned = {
        target.id
        for node in module.body
        for target in (node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)])
        if isinstance(target, ast.Name)
    }
    for node in module.body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").endswith(".chains.constitutional_ai.models"):
            return (node.module or "").partition(".")[0] if "PRINCIPLES" in assigned else ""
    return ""


def _calls(module: ast.Module) -> Iterator[tuple[str, ast.Call]]:
    """Every call that makes a principle, in the order of the file, with its key where it stands in a dictionary."""
    keys: dict[int, str] = {}
    calls: list[ast.Call] = []
    for node in ast.walk(module):
        if isinstance(node, ast.Dict):
            pairs = zip(node.keys, node.values, strict=True)
            keys |= {id(value): text for key, value in pairs if key is not None and (text := _text(key))}
        if isinstance(node, ast.Call) and _named(node.func) == _CLASS:
            calls.append(node)
    for call in sorted(calls, key=lambda call: (call.lineno, call.col_offset)):
        yield keys.get(id(call), ""), call


def _named(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _text(node: ast.expr) -> str | None:
    """A text as it is written, or several joined by +; None for what only running the file would tell."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = _text(node.left), _text(node.right)
        return None if left is None or right is None else left + right
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None
