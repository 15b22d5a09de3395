"""What the parts of a constitution's YAML are made of: texts in languages, patterns, kinds of facts."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    Strict,
    StringConstraints,
    ValidationInfo,
    WithJsonSchema,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema
from pydantic_core.core_schema import no_info_before_validator_function

from guardrails import patterns

MAX_TEXT = 20_000
_LANGUAGE = r"^[a-z]{2}(-[A-Z]{2})?$"
_WORDS = {"type": "string", "minLength": 1, "maxLength": MAX_TEXT}
Flag = Annotated[bool, Strict()]
"""`true` or `false`: in YAML 1.2 `yes` and `no` are words."""
Id = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=80)]
Words = Annotated[str, StringConstraints(min_length=1, max_length=MAX_TEXT)]


def _localised(value: Any) -> Any:
    return {"en": value} if isinstance(value, str) else value


def _one_or_many(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _scalar(value: Any) -> Any:
    if not isinstance(value, bool | int | float | str):
        raise ValueError("a variable is text, a number, true or false")  # noqa: TRY004 - pydantic's way to say so
    return value


def _pattern(value: Any, info: ValidationInfo) -> Any:
    """Compiled once here; with an `Effort` as the context of validation, within its limit."""
    if isinstance(value, str):
        effort = info.context if isinstance(info.context, patterns.Effort) else patterns.Effort()
        effort.compile(value)
    return value


class Listed:
    """Marks a list: one string stands for a list of it, and editors are told so."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return no_info_before_validator_function(_one_or_many, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        many = handler(schema)
        return {"anyOf": [many["items"], many]}


Scalar: TypeAlias = Annotated[
    bool | int | float | str,
    BeforeValidator(_scalar),
    WithJsonSchema({"type": ["string", "number", "boolean"]}),
]

Localised = Annotated[
    dict[Annotated[str, StringConstraints(pattern=_LANGUAGE)], Words],
    BeforeValidator(_localised),
    Field(min_length=1),
    WithJsonSchema(
        {
            "anyOf": [
                {**_WORDS, "title": "Text in English"},
                {
                    "title": "Texts by language",
                    "type": "object",
                    "properties": {
                        "en": {**_WORDS, "description": "In English."},
                        "ja": {**_WORDS, "description": "In Japanese."},
                    },
                    "patternProperties": {_LANGUAGE: _WORDS},
                    "additionalProperties": False,
                    "minProperties": 1,
                },
            ]
        }
    ),
]
"""A text in one or more languages: `{en: …, ja: …}`; a plain string is English."""

Pattern = Annotated[str, StringConstraints(min_length=1), BeforeValidator(_pattern)]
Patterns = Annotated[tuple[Pattern, ...], Field(min_length=1), Listed()]
SomePatterns = Annotated[tuple[Pattern, ...], Listed()]
FactKind = Literal["amounts", "percentages", "dates", "durations", "doses", "citations", "urls", "emails", "numbers"]
PersonalKind = Literal["card", "iban", "ssn", "my_number", "email", "phone", "ip"]


def text_in(text: dict[str, str], language: str) -> str:
    """A localised text in a language, else in English, else in the first by alphabet: their order says nothing."""
    return text.get(language) or text.get("en") or text[min(text)]


class Part(BaseModel):
    """A part of a file: frozen, and without keys that nobody knows."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, use_attribute_docstrings=True)
