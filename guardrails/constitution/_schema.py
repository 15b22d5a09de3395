"""What a constitution's YAML may say.

Frozen pydantic models: they check a file's data, and the compiled constitution is made of them.
Called by `_load`. The docstrings, titles and examples are for authors: they also stand in the JSON Schema that
editors work with.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, Strict, model_validator
from pydantic.config import JsonDict

from guardrails.constitution._check_schema import Check
from guardrails.constitution._types import FactKind, Id, Listed, Localised, Part, Scalar, Words

Severity = Literal["critical", "high", "medium", "low"]

_TEXT: JsonDict = {"type": "string"}
_ONE_SIDE: JsonDict = {
    "oneOf": [
        {"required": ["violates"], "properties": {"violates": _TEXT}},
        {"required": ["complies"], "properties": {"complies": _TEXT}},
    ],
    "not": {"required": ["complies", "revised"], "properties": {"complies": _TEXT, "revised": _TEXT}},
}


class Authority(Part):
    """The law, rule or guideline that a principle rests on."""

    cite: Words = Field(examples=["FINRA Rule 2210(d)(1)(B)"])
    """The provision, as a lawyer would cite it."""
    verified: Literal["primary", "secondary", "unverified"] = "unverified"
    """`primary`: its own text was read; `secondary`: quoted by an independent source; else `unverified`."""
    checked_on: date | None = None
    """When it was last looked up."""
    note: str = ""
    """What a reader should know: where it was read, what it leaves open."""


class Example(Part):
    """A reply that breaks the principle, or one that keeps it."""

    model_config = ConfigDict(json_schema_extra=_ONE_SIDE)

    violates: Words | None = None
    """A whole reply that breaks the principle."""
    complies: Words | None = None
    """A whole reply that keeps it."""
    revised: Words | None = None
    """What a violating reply should become."""
    note: str = ""
    """Why it stands here. On a complying example: what makes it look like a breach, and so a near miss."""
    prompt: str = ""
    """The question that the reply answers."""
    context: Annotated[tuple[str, ...], Listed()] = ()
    """Documents that the reply was given."""
    lang: str = Field("", examples=["en", "ja"])
    """The reply's language, `en` or `ja`, where its letters do not tell."""

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

    @property
    def is_near_miss(self) -> bool:
        """Whether it looks like a breach and is none: a complying example whose note says why."""
        return bool(self.complies and self.note)


Share = Annotated[float, Strict(), Field(ge=0, le=1)]


class Expect(Part):
    """What `guardrails test` asks of a principle; each is a share from 0 to 1."""

    recall: Share | None = None
    """At least so much of what violates is found."""
    precision: Share | None = None
    """At least so much of what is found does violate."""
    over_refusal: Share | None = None
    """At most so much of the near misses is found."""
    disagreement: Share | None = None
    """At most so many examples are judged differently from one run to the next."""


Applies = Literal["reply", "tool_calls"]


class Principle(Part):
    """One rule: what it says, what it rests on, how it is checked, and examples of both kinds."""

    id: Id = Field(examples=["acme-no-fee-waivers"])
    """The file's name without `.yaml`: small letters, digits and hyphens."""
    title: Localised = Field(examples=["No promise to waive fees", {"en": "No promise to waive fees", "ja": "…"}])
    """What readers call it."""
    severity: Severity
    """How grave a breach is. `low` is only noted unless `on_violation` says more."""
    rule: Localised = Field(examples=["Never promise that a fee is waived; only a branch can decide that."])
    """The rule, as a behaviour that one can observe in a reply."""
    on_violation: Literal["revise", "block", "flag"] = "revise"
    """What a breach leads to. Where it is not said, `low` principles flag and the others revise."""
    on_undecided: Literal["block", "allow"] = "block"
    """What it leads to that nobody could tell whether the reply breaks it."""
    jurisdictions: Annotated[tuple[Words, ...], Listed()] = Field((), examples=[["US", "JP"]])
    """Where it applies; nowhere named means everywhere."""
    only_if: dict[str, Scalar] = Field(default={}, examples=[{"is_licensed_adviser": False}])
    """Values of the constitution's variables for which it applies."""
    scope: Literal["sentence", "reply"] = "sentence"
    """What a judge looks at. `reply` where only the whole reply can be judged: disclosures, balance."""
    applies_to: Annotated[tuple[Applies, ...], Field(min_length=1), Listed()] = ("reply",)
    """What is judged. `tool_calls`: their arguments, as text; a call that breaks it is blocked, never rewritten."""
    authority: tuple[Authority, ...] = ()
    """The laws, rules or guidelines that it rests on."""
    checks: tuple[Check, ...] = ()
    """What needs no model. Each says one of `pattern`, `require`, `grounded` or `personal_data`."""
    critique: Localised | None = None
    """How a model should look for a breach, where the rule does not say enough."""
    revision: Localised | None = None
    """How a reviser should mend a breach."""
    preserve: tuple[FactKind, ...] = ()
    """Kinds of facts that a revision may not drop."""
    threshold: Annotated[int, Strict(), Field(ge=0, le=100)] = 50
    """Findings with a confidence below this do not count."""
    escalate: str = ""
    """Whom a blocked reply concerns."""
    effective: date | None = Field(None, examples=["2026-11-23"])
    """Since when it is in force."""
    expires: date | None = Field(None, examples=["2027-11-22"])
    """The last day on which it is in force."""
    owner: str = ""
    """Who answers for it."""
    expect: Expect = Expect()
    """What `guardrails test` asks of it, value by value beside what the constitution asks of all."""
    examples: tuple[Example, ...] = ()
    """Replies that break it and replies that keep it, near misses among them: they are its tests."""

    @model_validator(mode="before")
    @classmethod
    def _by_severity(cls, data: Any) -> Any:
        if isinstance(data, dict) and data.get("severity") == "low":
            return {"on_violation": "flag", **data}
        return data


Rung = Literal["append", "block"]


class Settings(Part):
    """How the loop ends."""

    max_revisions: Annotated[int, Strict(), Field(ge=0, le=10)] = 2
    """How often a reply may be mended."""
    exhausted: Annotated[tuple[Rung, ...], Field(min_length=1), Listed()] = Field(
        ("block",), examples=[["append", "block"]]
    )
    """What is tried when revisions run out: `append` adds the constitution's warning and judges again."""

    @model_validator(mode="after")
    def _ends_closed(self) -> Settings:
        if self.exhausted[-1] != "block" or len(set(self.exhausted)) < len(self.exhausted):
            raise ValueError("`exhausted` names each rung once and ends with `block`")
        return self


class ConstitutionFile(Part):
    """A `constitution.yaml`, or a whole constitution in one file where `principles` stand in it."""

    name: Id = Field(examples=["acme-bank"])
    """What records call it: small letters, digits and hyphens."""
    version: Words = Field(examples=["1.0.0"])
    """Yours to count, in any form. In quotes, or 1.0 is a number."""
    title: Localised | None = Field(None, examples=["Acme Bank's customer chat"])
    """What readers call it."""
    extends: Annotated[tuple[Words, ...], Listed()] = Field((), examples=[["finance"]])
    """Constitutions whose principles this one takes over: shipped names, or paths from this file."""
    disable: Annotated[tuple[Words, ...], Listed()] = ()
    """Ids of principles that are not taken over."""
    variables: dict[str, Scalar] = Field(default={}, examples=[{"company": "Acme Bank"}])
    """Values that texts name as `{{ company }}`, and that `only_if` asks for."""
    facts: tuple[Localised, ...] = Field((), examples=[["Deposits are insured up to $250,000."]])
    """What replies and revisions may state without a source in the exchange."""
    fallback: Localised | None = None
    """What a user reads instead of a blocked reply."""
    warning: Localised | None = None
    """What the `append` rung adds."""
    settings: Settings = Settings()
    """How often a reply is mended, and what happens then."""
    expect: Expect = Expect()
    """What `guardrails test` asks of every principle."""
    principles: tuple[Principle, ...] = Field((), json_schema_extra={"type": ["array", "null"]})
    """The principles, where they stand in this file and not in the folder `principles/`."""
