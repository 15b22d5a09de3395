"""What a constitution's YAML may say.

Frozen pydantic models: they check a file's data, and the compiled constitution is made of them.
Called by `_load`; the descriptions are for authors.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    model_validator,
)

from guardrails import patterns

MAX_TEXT = 20_000
Severity = Literal["critical", "high", "medium", "low"]
Id = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=80)]
Words = Annotated[str, StringConstraints(min_length=1, max_length=MAX_TEXT)]


def _localised(value: Any) -> Any:
    return {"en": value} if isinstance(value, str) else value


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _scalar(value: Any) -> Any:
    if not isinstance(value, bool | int | float | str):
        raise ValueError("a variable is text, a number, true or false")  # noqa: TRY004 - pydantic's way to say so
    return value


def _pattern(value: str) -> str:
    patterns.compiled(value)
    return value


Scalar: TypeAlias = Annotated[bool | int | float | str, BeforeValidator(_scalar)]

Localised = Annotated[
    dict[Annotated[str, StringConstraints(pattern=r"^[a-z]{2}(-[A-Z]{2})?$")], Words],
    BeforeValidator(_localised),
    Field(min_length=1),
]
"""A text in one or more languages: `{en: …, ja: …}`; a plain string is English."""

Pattern = Annotated[
    str, StringConstraints(min_length=1), BeforeValidator(lambda v: _pattern(v) if isinstance(v, str) else v)
]
Patterns = Annotated[tuple[Pattern, ...], BeforeValidator(_listed), Field(min_length=1)]
FactKind = Literal["amounts", "percentages", "dates", "durations", "doses", "citations", "urls", "emails", "numbers"]
PersonalKind = Literal["card", "iban", "ssn", "my_number", "email", "phone", "ip"]


def text_in(text: dict[str, str], language: str) -> str:
    """A localised text in a language, else in English, else in whichever it has."""
    return text.get(language) or text.get("en") or next(iter(text.values()))


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, use_attribute_docstrings=True)


class Authority(_Model):
    """The law, rule or guideline that a principle rests on."""

    cite: Words
    """The provision, as a lawyer would cite it."""
    verified: Literal["primary", "secondary", "unverified"] = "unverified"
    """`primary`: its own text was read; `secondary`: quoted by an independent source; else `unverified`."""
    checked_on: date | None = None
    """When it was last looked up."""
    note: str = ""


class Unless(_Model):
    """What makes a match a mention and no breach."""

    before: Annotated[tuple[Words, ...], BeforeValidator(_listed)] = ()
    """Words looked for among the three words before the match; `not` stands for n't as well."""
    clause: Annotated[tuple[Pattern, ...], BeforeValidator(_listed)] = ()
    """Patterns over the clause that the match stands in."""
    sentence: Annotated[tuple[Pattern, ...], BeforeValidator(_listed)] = ()
    """Patterns over the whole sentence: how it ends, that it asks."""
    quoted: bool = False
    """Whether a match inside quotation marks is excused."""


class Fix(_Model):
    """What a rule does to the match, or with `sentence: true` to its whole sentence."""

    replace: Localised | None = None
    r"""The new wording; `\1` stands for the pattern's first group."""
    delete: bool = False
    mask: bool = False
    sentence: bool = False

    @model_validator(mode="after")
    def _one_of(self) -> Fix:
        if [self.replace is not None, self.delete, self.mask].count(True) != 1:
            raise ValueError("a fix says one of `replace: {en: …}`, `delete: true` or `mask: true`")
        return self


class _Check(_Model):
    decides: bool = False
    """Whether silence means that the reply complies. Otherwise a hit violates and silence decides nothing."""


class PatternCheck(_Check):
    """RE2 patterns over each sentence."""

    pattern: Patterns
    unless: Unless = Unless()
    fix: Fix | None = None


class RequireCheck(_Check):
    """A disclosure that the reply must hold."""

    require: Patterns
    """Patterns, one of which must stand somewhere in the reply."""
    when: Annotated[tuple[Pattern, ...], BeforeValidator(_listed)] = ()
    """Only where a sentence of the reply matches one of these."""
    when_prompt: Annotated[tuple[Pattern, ...], BeforeValidator(_listed)] = ()
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


class PersonalDataCheck(_Check):
    """Personal data of these kinds must not stand in the reply."""

    personal_data: Annotated[tuple[PersonalKind, ...], Field(min_length=1)]
    fix: Fix | None = None


def _check_kind(value: Any) -> str | None:
    keys = value if isinstance(value, dict) else vars(value)
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


class Example(_Model):
    """A reply that breaks the principle, or one that keeps it."""

    violates: Words | None = None
    complies: Words | None = None
    revised: Words | None = None
    """What a violating reply should become."""
    note: str = ""
    prompt: str = ""
    context: Annotated[tuple[str, ...], BeforeValidator(_listed)] = ()
    lang: str = ""

    @model_validator(mode="after")
    def _one_side(self) -> Example:
        if (self.violates is None) == (self.complies is None):
            raise ValueError("an example says either `violates:` or `complies:`")
        if self.revised and self.complies:
            raise ValueError("a complying example is not revised; remove `revised`")
        return self

    @property
    def reply(self) -> str:
        """The example's text, whichever side it stands on."""
        return self.violates or self.complies or ""


Applies = Literal["reply", "tool_calls"]


class Principle(_Model):
    """One rule: what it says, what it rests on, how it is checked, and examples of both kinds."""

    id: Id
    title: Localised
    severity: Severity
    rule: Localised
    """The rule, as a behaviour that one can observe in a reply."""
    on_violation: Literal["revise", "block", "flag"] = "revise"
    """Where it is not said, `low` principles flag and the others revise."""
    on_undecided: Literal["block", "allow"] = "block"
    jurisdictions: Annotated[tuple[Words, ...], BeforeValidator(_listed)] = ()
    """Where it applies; nowhere named means everywhere."""
    only_if: dict[str, Scalar] = {}
    """Values of the constitution's variables for which it applies."""
    scope: Literal["sentence", "reply"] = "sentence"
    """`reply` where only the whole reply can be judged: disclosures, balance."""
    applies_to: Annotated[tuple[Applies, ...], BeforeValidator(_listed), Field(min_length=1)] = ("reply",)
    """`tool_calls` judges the arguments of tool calls as text; a call that breaks it is blocked, never rewritten."""
    authority: tuple[Authority, ...] = ()
    checks: tuple[Check, ...] = ()
    revision: Localised | None = None
    """How a reviser should mend a breach."""
    preserve: tuple[FactKind, ...] = ()
    """Kinds of facts that a revision may not drop."""
    threshold: Annotated[int, Field(ge=0, le=100)] = 50
    """Findings with a confidence below this do not count."""
    escalate: str = ""
    """Whom a blocked reply concerns."""
    effective: date | None = None
    owner: str = ""
    examples: tuple[Example, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _by_severity(cls, data: Any) -> Any:
        if isinstance(data, dict) and data.get("severity") == "low":
            return {"on_violation": "flag", **data}
        return data


Rung = Literal["append", "block"]


class Settings(_Model):
    """How the loop ends."""

    max_revisions: Annotated[int, Field(ge=0, le=10)] = 2
    exhausted: Annotated[tuple[Rung, ...], BeforeValidator(_listed), Field(min_length=1)] = ("block",)
    """What is tried when revisions run out: `append` adds the constitution's warning and judges again."""

    @model_validator(mode="after")
    def _ends_closed(self) -> Settings:
        if self.exhausted[-1] != "block" or len(set(self.exhausted)) < len(self.exhausted):
            raise ValueError("`exhausted` names each rung once and ends with `block`")
        return self


class ConstitutionFile(_Model):
    """A `constitution.yaml`, or a whole constitution in one file where `principles` stand in it."""

    name: Id
    version: Words
    title: Localised | None = None
    extends: Annotated[tuple[Words, ...], BeforeValidator(_listed)] = ()
    """Constitutions whose principles this one takes over: shipped names, or paths from this file."""
    disable: Annotated[tuple[Words, ...], BeforeValidator(_listed)] = ()
    variables: dict[str, Scalar] = {}
    facts: tuple[Localised, ...] = ()
    """What replies and revisions may state without a source in the exchange."""
    fallback: Localised | None = None
    """What a user reads instead of a blocked reply."""
    warning: Localised | None = None
    """What the `append` rung adds."""
    settings: Settings = Settings()
    principles: tuple[Principle, ...] = ()
