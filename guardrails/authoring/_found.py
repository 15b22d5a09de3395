"""Which constitutions are meant by the paths that people and tools give: folders, files, one principle's file."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from os import PathLike, fspath
from pathlib import Path

from guardrails.constitution import did_you_mean, shipped
from guardrails.errors import ConfigurationError

MAIN = "constitution.yaml"
_APPROVALS = "approvals.yaml"
_NAME, _VERSION, _EXTENDS, _PRINCIPLES = b"name", b"version", b"extends", b"principles"
_KEY = re.compile(rb"^(name|version|extends|principles|[ \t-]*(?:id|rule))[ \t]*:", re.MULTILINE)
# What a whole constitution in one file says; somebody else's YAML may have a list of `principles`, too.
_WHOLE = frozenset({_NAME, _VERSION, _PRINCIPLES, b"id", b"rule"})
_OTHERS = frozenset({"node_modules", "site-packages"})


def constitutions_in(paths: Iterable[str | PathLike[str]]) -> tuple[str | Path, ...]:
    """The constitutions that these paths mean, each once, as `Constitution.load` takes them.

    A path is a shipped name, a constitution's folder or file, the file of one of its principles, or a folder that
    holds constitutions at any depth. What is no shipped name comes back as a `Path`.

    Raises:
        ConfigurationError: nothing stands at a path, or no constitution is there.

    >>> constitutions_in(["finance"])
    ('finance',)
    """
    found = [one for path in paths for one in _in(fspath(path))]
    return tuple(dict.fromkeys(found))


def constitution_of(path: Path) -> Path | None:
    """The constitution that a YAML file is or belongs to, None for any other file.

    A file in a folder `principles`, at any depth, belongs to the constitution beside that folder, and so does
    `approvals.yaml`.
    """
    if path.name == MAIN or (path.name == _APPROVALS and (path.parent / MAIN).is_file()):
        return path.parent
    for folder in path.parents:
        if folder.name == "principles" and (folder.parent / MAIN).is_file():
            return folder.parent
    return path if path.suffix in {".yaml", ".yml"} and _is_whole(path) else None


def looks_like_one(path: Path) -> bool:
    """Whether what stands here is meant for us: `constitution.yaml` is a name that others use, too."""
    if path.is_dir():
        said = _said(path / MAIN)
        return (
            _NAME in said
            and _VERSION in said
            and bool(said & {_EXTENDS, _PRINCIPLES} or (path / "principles").is_dir())
        )
    return _is_whole(path)


def _in(path: str) -> Iterator[str | Path]:
    if path in shipped():
        yield path
        return
    place = Path(path)
    if place.is_dir():
        found = [place] if (place / MAIN).is_file() else list(_below(place))
    elif place.is_file():
        owner = constitution_of(place)
        found = [owner if owner is not None else place]  # what it is, loading it will say
    else:
        hint = did_you_mean(path, shipped()) if "/" not in path else ""
        raise ConfigurationError(f"{path}: nothing stands here. {hint}".rstrip())
    if not found:
        raise ConfigurationError(f"{path}: no constitution here: no {MAIN}, and no YAML file with `principles:`.")
    yield from found


def _below(folder: Path) -> Iterator[Path]:
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not _is_others(Path(place, name)))
        for name in sorted(files):
            owner = constitution_of(Path(place, name)) if name.endswith(".yaml") else None
            if owner is not None:
                yield owner


def _is_others(folder: Path) -> bool:
    """Whether a folder holds what was installed or is hidden, and not what somebody here wrote."""
    return folder.name.startswith(".") or folder.name in _OTHERS or (folder / "pyvenv.cfg").is_file()


def _is_whole(path: Path) -> bool:
    """Whether a file looks like a whole constitution; it may be anybody's YAML, and is not parsed for that."""
    return _said(path) >= _WHOLE


def _said(path: Path) -> set[bytes]:
    """The keys of a constitution that a file seems to have."""
    try:
        with path.open("rb") as file:
            return {found.strip(b" \t-") for found in _KEY.findall(file.read(1_000_000))}
    except OSError:
        return set()
