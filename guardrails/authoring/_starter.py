"""A new constitution's folder: small, full of comments, and clean by its own lint and tests from the first minute.

Used by `guardrails init` and `guardrails import`. The files stand in `starter/`; `@name@` and the like are filled in.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from guardrails._visible import visible
from guardrails.authoring._found import MAIN
from guardrails.authoring._import_yaml import quoted
from guardrails.authoring._json_schema import KINDS, schema_text
from guardrails.constitution import Constitution, shipped, text_in
from guardrails.constitution._types import Id
from guardrails.errors import ConfigurationError

_WHOLE = "whole.yaml"
_EXTENDING = "extending.yaml"
_ONE_OF_ITS_OWN = "refer-for-opening-hours.yaml"
_LONGEST = 80
_IGNORED = """\
# Where reviews are recorded, if nothing else is said. It holds customers' texts, and is not for version control.
guardrails.db*
"""


@dataclass(frozen=True, slots=True)
class Started:
    """A new constitution: its folder, and the files in it, as paths from that folder."""

    folder: Path
    files: tuple[Path, ...]


def start(folder: str | os.PathLike[str], parent: str | None = None) -> Started:
    """Write a new constitution's folder; the folder's name is the constitution's.

    Without `parent`, three commented principles show the three kinds: words that break one, a statement that is
    required, and one that only a model can judge. With `parent` (a shipped name, a folder or a file), the constitution
    extends it, and has one principle of its own. The JSON Schemas for editors stand in `schema/`.

    Raises:
        ConfigurationError: the name is no constitution's name or is a shipped one, something is in the folder
            already, or it cannot be written.
        ConstitutionError: the parent has mistakes.
    """
    path = Path(folder)
    check_name(path.resolve().name)
    return write_new(path, _texts(path, parent))


def possible_id(text: str) -> str:
    """The nearest thing to a text that is a name or an id; empty where the text has no letter or digit of ASCII.

    >>> possible_id("Acme Bank (retail)")
    'acme-bank-retail'
    """
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:_LONGEST].strip("-")


def check_name(name: str) -> None:
    """See that a constitution can have this name.

    Raises:
        ConfigurationError: it is no name, or that of a shipped constitution.
    """
    if name in shipped():
        advice = f"Name yours otherwise, as in my-{name}; `guardrails init --from {name}` extends the shipped one."
        raise ConfigurationError(f"{name!r} is a constitution that comes with the library. {advice}")
    try:
        TypeAdapter(Id).validate_python(name)
    except ValidationError:
        near = possible_id(name) or "acme-bank"
        advice = f"Try {near!r}."
        raise ConfigurationError(f"{name!r} is no name: small letters, digits and hyphens. {advice}") from None


def write_new(folder: Path, texts: Mapping[str, str]) -> Started:
    """Write files by their names, the schemas and a `.gitignore` into a folder that is not there or is empty.

    Raises:
        ConfigurationError: something is in the folder, or it cannot be written.
    """
    schemas = {f"schema/{kind}.json": schema_text(kind) for kind in KINDS}
    everything = {**texts, **schemas, ".gitignore": _IGNORED}
    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise ConfigurationError(f"{folder}: something is here already, and stays as it is. Choose another name.")
        for name, text in everything.items():
            file = folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            with file.open("x", encoding="utf-8", newline="\n") as stream:
                stream.write(text)
    except OSError as error:
        raise ConfigurationError(f"{folder} cannot be written: {error.strerror}.") from error
    return Started(folder, tuple(map(Path, everything)))


def _texts(path: Path, parent: str | None) -> dict[str, str]:
    starter = files("guardrails.authoring") / "starter"
    principles = {one.name: one for one in (starter / "principles").iterdir() if one.name.endswith(".yaml")}
    values = {"name": plain_name(path.resolve().name)}
    if parent is None:
        chosen = {MAIN: starter / _WHOLE, **{f"principles/{name}": principles[name] for name in sorted(principles)}}
    else:
        values |= _inherited(path, parent)
        chosen = {MAIN: starter / _EXTENDING, f"principles/{_ONE_OF_ITS_OWN}": principles[_ONE_OF_ITS_OWN]}
    return {name: _filled(template, values) for name, template in chosen.items()}


def _filled(template: Traversable, values: Mapping[str, str]) -> str:
    text = template.read_text(encoding="utf-8")
    return re.sub(r"@(\w+)@", lambda found: values[found[1]], text)


def _inherited(path: Path, parent: str) -> dict[str, str]:
    constitution = Constitution.load(parent)
    is_shipped = parent in shipped()
    return {
        "parent": parent if is_shipped else quoted(Path(os.path.relpath(parent, path)).as_posix()),
        "disable": "\n".join(_disable(constitution)),
        "variables": "\n".join(_variables(constitution)),
    }


def _disable(constitution: Constitution) -> Iterator[str]:
    yield "#disable:"
    for principle in constitution.principles:
        yield f"#  - {principle.id} # {visible(' '.join(text_in(principle.title, 'en').split()))}"


def _variables(constitution: Constitution) -> Iterator[str]:
    yield "#variables:" if constitution.variables else "#variables: {}"
    for name, value in constitution.variables.items():
        yield f"#  {name}: {quoted(value)}"


def plain_name(name: str) -> str:
    """A name as YAML text: `null` and `1` are names too, and would be something else without quotes."""
    return name if name[0].isalpha() and name not in {"null", "true", "false"} else quoted(name)
