"""A constitution as it stood at a git revision: its YAML files in a temporary folder, read like any other.

Called by `_versions`. The repository is the one that the current folder is in. `git` itself is asked, without a
shell, and only ever with ids that it gave out.
"""

from __future__ import annotations

import os
import posixpath
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from guardrails.authoring._found import MAIN
from guardrails.constitution import Constitution, Source, shipped
from guardrails.errors import ConfigurationError, ConstitutionError

REVISION = re.compile(r"((?:[^:{\0]|\{[^}\0]*\})+):([^\0]*)")
"""`REV:path`; a revision may hold colons in braces, as in `HEAD^{/fix: fees}`."""

_ID = re.compile(rb"[0-9a-f]{40}(?:[0-9a-f]{24})?\n")
_SUFFIXES = (".yaml", ".yml")
_PRINCIPLES = "principles"
_FILES = (b"100644", b"100755")
_LINK = b"120000"
_SUBMODULE = b"160000"
_IN_SUBMODULE = (
    "is a git submodule: its files are in another repository, and are not read. Run `git submodule update --init`"
    " in a worktree of that revision, and compare with the path there"
)
_MOST = 4_000_000
"""Bytes of a file; what is larger than the loader takes is refused by it, or by us without reading it."""


@dataclass(frozen=True, slots=True)
class _File:
    path: str
    id: str
    why_not: str = ""
    """Why it is not read, empty where it is: whatever needs it is refused."""


def loaded_at(source: str, chosen: Callable[[str], str | Path]) -> Constitution:
    """The constitution at `REV:path`.

    The path counts from the repository's root, or with `./` from the current folder. `chosen` says which
    constitution is meant by a path. What it extends is that of the same revision; shipped names mean those of the
    library that is installed.

    Raises:
        ConfigurationError: there is no git, no repository, no such revision or nothing at the path; or a file is a
            symbolic link, too large, in a submodule, or outside of the repository.
        ConstitutionError: the constitution has mistakes; their places name the revision.
    """
    match = REVISION.fullmatch(source)
    assert match
    revision, path = match[1], match[2]
    here = _asked(source, "rev-parse", "--show-prefix").decode(errors="replace").rstrip("\n")
    inside = posixpath.normpath(posixpath.join(here, path) if path.startswith(("./", "../")) else path or ".")
    if inside.startswith(("../", "/")) or inside == "..":
        raise ConfigurationError(f"{source}: {path} is outside of the repository. Paths count from its root.")
    files = list(_files(source, _commit(source, revision)))
    with tempfile.TemporaryDirectory(prefix="guardrails-") as folder:
        root = Path(folder).resolve()
        _written(source, [file for file in files if not file.why_not], root)
        target = root / inside
        if not target.exists():
            raise ConfigurationError(f"{source}: {_missing(inside, files, revision)}")
        try:
            constitution = Constitution.load(chosen(str(target)))
        except ConstitutionError as error:
            named = (replace(one, file=_named(one.file, root, revision)) for one in error.problems)
            problems = [replace(one, message=_named(one.message, root, revision)) for one in named]
            raise ConstitutionError(problems) from None
        except ConfigurationError as error:
            raise ConfigurationError(_named(str(error), root, revision)) from None
        _check(source, constitution.source, root, {file.path: file.why_not for file in files if file.why_not})
    return constitution


def _commit(source: str, revision: str) -> str:
    if revision.startswith("-"):
        raise ConfigurationError(f"{source}: a revision does not begin with a hyphen.")
    try:
        found = _asked(source, "rev-parse", "--verify", f"{revision}^{{commit}}")
    except ConfigurationError:
        found = b""
    if not _ID.fullmatch(found):
        raise ConfigurationError(
            f"{source} is no path, and git knows no revision {revision!r} here. `git log --oneline` lists revisions."
        )
    return found.decode().strip()


def _asked(source: str, *arguments: str) -> bytes:
    done = subprocess.run(  # noqa: S603 - no shell, and what was typed is one argument that begins with no hyphen
        [_git(source), *arguments], capture_output=True, env=_environment(), check=False
    )
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().partition("\n")[0].removeprefix("fatal: ")
        raise ConfigurationError(
            f"{source} is no path, and cannot be had as a git revision: {said}. Run this in the repository's folder."
        )
    return done.stdout


def _git(source: str) -> str:
    git = shutil.which("git")
    if git is None:
        raise ConfigurationError(f"{source} is no path; as a git revision it needs git, which is not installed.")
    return git


def _environment() -> dict[str, str]:
    return {**os.environ, "LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0"}


def _files(source: str, commit: str) -> Iterator[_File]:
    """The YAML files of a commit, and the symbolic links and submodules that stand for some."""
    for entry in _asked(source, "ls-tree", "-r", "-l", "-z", "--full-tree", commit).split(b"\0"):
        about, _, name = entry.partition(b"\t")
        path = os.fsdecode(name)
        if not about or not _is_harmless(path):
            continue
        mode, _, file_id, size = about.split()
        if mode == _SUBMODULE:
            yield _File(path, file_id.decode(), _IN_SUBMODULE)
        elif mode == _LINK and (path.endswith(_SUFFIXES) or posixpath.basename(path) == _PRINCIPLES):
            yield _File(path, file_id.decode(), "is a symbolic link, and is not followed. Name the file itself")
        elif mode in _FILES and path.endswith(_SUFFIXES):
            yield _File(path, file_id.decode(), "is too large, and is not read" if int(size) > _MOST else "")


def _is_harmless(path: str) -> bool:
    """Whether a path stays below the folder it is put in. Git's own commands make no other; somebody's might."""
    parts = PurePosixPath(path).parts
    return not path.startswith("/") and ".." not in parts and "\\" not in path


def _written(source: str, files: Sequence[_File], root: Path) -> None:
    """Put the files below a folder, one at a time."""
    with tempfile.TemporaryFile() as ids:
        ids.write("".join(f"{file.id}\n" for file in files).encode())
        ids.seek(0)
        with subprocess.Popen(  # noqa: S603 - no shell, and nothing of what was typed
            [_git(source), "cat-file", "--batch"], stdin=ids, stdout=subprocess.PIPE, env=_environment()
        ) as git:
            assert git.stdout
            for file in files:
                about = git.stdout.readline().split()
                if len(about) != 3:  # noqa: PLR2004 - id, type, size; or an id that is missing
                    raise ConfigurationError(f"{source}: git does not have {file.path} of this revision.")
                content = git.stdout.read(int(about[2]))
                git.stdout.read(1)
                _put(root / file.path, content)


def _put(path: Path, content: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    except OSError as error:
        raise ConfigurationError(f"{path.name} of this revision cannot be written: {error.strerror}.") from error


def _missing(inside: str, files: Sequence[_File], revision: str) -> str:
    for file in files:
        if file.path == inside or (file.why_not and inside.startswith(f"{file.path}/")):
            return f"{file.path} {file.why_not}."
    return f"{revision} has no YAML file at {inside}. Paths count from the repository's root; begin with ./ for here."


def _check(source: str, loaded: Source, root: Path, left_out: Mapping[str, str]) -> None:
    """Refuse a constitution that would have had more files, or others, if it had been checked out."""
    main = Path(loaded.document.file).resolve()
    if any(main.is_relative_to(folder.resolve()) for folder in shipped().values()):
        return
    if not main.is_relative_to(root):
        raise ConfigurationError(f"{source}: it extends {main}, which is no file of the repository.")
    principles = (main.parent / _PRINCIPLES).relative_to(root).as_posix()
    for path in sorted(left_out) if main.name == MAIN else ():
        if path == principles or path.startswith(f"{principles}/"):
            raise ConfigurationError(f"{source}: {path} {left_out[path]}.")
    for parent in loaded.parents:
        _check(source, parent, root, left_out)


def _named(text: str, root: Path, revision: str) -> str:
    return text.replace(f"{root}{os.sep}", f"{revision}:").replace(str(root), f"{revision}:")
