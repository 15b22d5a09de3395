"""What a check may say in a constitution's YAML: patterns, required statements, grounded facts, personal data.

The docstrings, titles and examples also stand in the JSON Schema that editors work with.
"""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import ConfigDict, Discriminator, Field, Tag, model_validator
from pydantic.config import JsonDict

from guardrails import patterns
from guardrails.constitution._types import (
    FactKind,
    Flag,
    Listed,
    Localised,
    Part,
    Patterns,
    PersonalKind,
    SomePatterns,
    Words,
)

_SAID: JsonDict = {"type": ["string", "object"]}
_NOTHING: JsonDict = {"type": "null"}
_ONE_FIX: JsonDict = {
    "anyOf": [
        {
            "required": ["replace"],
            "properties": {"replace": _SAID, "delete": {"const": False}, "mask": {"const": False}},
        },
        {
            "required": ["delete"],
            "properties": {"delete": {"const": True}, "mask": {"const": False}, "replace": _NOTHING},
        },
        {
            "required": ["mask"],
            "properties": {"mask": {"const": True}, "delete": {"const": False}, "replace": _NOTHING},
        },
    ]
}
_ONE_PLACE: JsonDict = {"not": {"required": ["append", "prepend"], "properties": {"append": _SAID, "prepend": _SAID}}}


_GROUP = re.compile(r"\\([1-9])")


class Unless(Part):
    """What makes a match a mention and no breach."""

    before: Annotated[tuple[Words, ...], Listed()] = Field((), examples=[["no", "not", "never"]])
    """Words looked for among the three words before the match; `not` stands for n't as well."""
    clause: SomePatterns = Field((), examples=[[r"\bif\b"]])
    """Patterns over the clause that the match stands in."""
    sentence: SomePatterns = Field((), examples=[[r"\?$"]])
    """Patterns over the whole sentence: how it ends, that it asks."""
    quoted: Flag = False
    """Whether a match inside quotation marks is excused."""

    @model_validator(mode="after")
    def _one_word_each(self) -> Unless:
        several = next((words for words in self.before if len(words.split()) > 1), None)
        if several is not None:
            raise ValueError(f"`before` holds one word each, not {several!r}. For several words write a `clause:`")
        return self


class Fix(Part):
    """What a rule does to the match, or with `sentence: true` to its whole sentence."""

    model_config = ConfigDict(json_schema_extra=_ONE_FIX)

    replace: Localised | None = Field(None, examples=["may", {"en": "may", "ja": "ことがある"}])
    r"""The new wording; `\1` stands for the pattern's first group."""
    delete: Flag = False
    """`true`: the match goes."""
    mask: Flag = False
    """`true`: the match becomes `***`; personal data keeps its last characters."""
    sentence: Flag = False
    """`true`: the fix concerns the whole sentence of the match."""

    @model_validator(mode="after")
    def _one_of(self) -> Fix:
        if [self.replace is not None, self.delete, self.mask].count(True) != 1:
            raise ValueError("a fix says one of `replace: {en: …}`, `delete: true` or `mask: true`")
        return self


class _Check(Part):
    decides: Flag = False
    """Whether silence means that the reply complies. Otherwise a hit violates and silence decides nothing."""


class PatternCheck(_Check):
    """RE2 patterns over each sentence."""

    pattern: Patterns = Field(examples=[r"\b(?:is|are) guaranteed to\b"])
    """What breaks the principle, in RE2 syntax and single quotes. Upper and lower case are alike."""
    unless: Unless = Unless()
    """What makes a match a mention and no breach."""
    fix: Fix | None = None
    """How the rule itself mends a match: `replace`, `delete` or `mask`."""

    @model_validator(mode="after")
    def _groups_exist(self) -> PatternCheck:
        texts = (self.fix.replace or {}).values() if self.fix else ()
        named = max((int(number) for text in texts for number in _GROUP.findall(text)), default=0)
        most = max(patterns.compiled(pattern).groups for pattern in self.pattern) if named else 0
        if named > most:
            plural = "s" if most != 1 else ""
            raise ValueError(f"the fix names \\{named}, and the pattern has {most} group{plural}. Put ( ) around it")
        return self


class RequireCheck(_Check):
    """A disclosure that the reply must hold."""

    model_config = ConfigDict(json_schema_extra=_ONE_PLACE)

    require: Patterns = Field(examples=["past performance .{0,40}not"])
    """Patterns, one of which must stand somewhere in the reply."""
    when: SomePatterns = Field((), examples=[r"\d\s?%"])
    """Only where a sentence of the reply matches one of these."""
    when_prompt: SomePatterns = ()
    """Only where a sentence of the user's last message matches one of these."""
    unless: Unless = Unless()
    """What excuses a match of `when` or `when_prompt`."""
    append: Localised | None = None
    """The disclosure, added at the end of the reply."""
    prepend: Localised | None = None
    """The disclosure, put before the first sentence."""

    @model_validator(mode="after")
    def _one_place(self) -> RequireCheck:
        if self.append and self.prepend:
            raise ValueError("a disclosure goes to one place: `append` or `prepend`")
        return self


class GroundedCheck(_Check):
    """Facts of these kinds must stand in the conversation or its context; silent where there is no context."""

    grounded: Annotated[tuple[FactKind, ...], Field(min_length=1)]
    """Kinds of facts that have to stand in the conversation, its context or the constitution."""


class PersonalDataCheck(_Check):
    """Personal data of these kinds must not stand in the reply."""

    personal_data: Annotated[tuple[PersonalKind, ...], Field(min_length=1)]
    """Kinds of personal data that may not stand in the reply. Check digits are verified."""
    fix: Fix | None = None
    """How the rule itself mends a match, as in `fix: {mask: true}`."""


def _check_kind(value: Any) -> str | None:
    keys = value if isinstance(value, dict) else getattr(value, "__dict__", {})
    kinds = [kind for kind in ("pattern", "require", "grounded", "personal_data") if kind in keys]
    return kinds[0] if len(kinds) == 1 else None


Check = Annotated[
    Annotated[PatternCheck, Tag("pattern")]
    | Annotated[RequireCheck, Tag("require")]
    | Annotated[GroundedCheck, Tag("grounded")]
    | Annotated[PersonalDataCheck, Tag("personal_data")],
    Discriminator(
        _check_kind,
        custom_error_type="check_kind",
        custom_error_message="a check says one of `pattern`, `require`, `grounded` or `personal_data`",
    ),
]
