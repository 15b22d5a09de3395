"""The JSON Schema of constitution and principle files, for editors: they complete and check as one types.

Made from the models that read the files, so that both say the same.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core.core_schema import WithDefaultSchema

from guardrails.constitution import Principle
from guardrails.constitution._schema import ConstitutionFile

KINDS: Mapping[str, type[BaseModel]] = {"constitution": ConstitutionFile, "principle": Principle}
"""The kinds of files, and what reads them."""
_DRAFT = "http://json-schema.org/draft-07/schema#"


def schema_of(kind: str) -> dict[str, Any]:
    """The JSON Schema, draft 7, of `constitution.yaml` ("constitution") or of one principle's file ("principle").

    It takes what the loader takes: a plain string for a text in English, one string for a list of it. What only the
    loader can tell, it leaves open: patterns that are no RE2, references to what is not there.

    >>> schema_of("principle")["properties"]["severity"]["enum"]
    ['critical', 'high', 'medium', 'low']
    """
    made = KINDS[kind].model_json_schema(ref_template="#/definitions/{model}", schema_generator=_ForEditors)
    definitions = made.pop("$defs", {})
    return {"$schema": _DRAFT, **made, "definitions": definitions}


def schema_text(kind: str) -> str:
    """The JSON Schema as it stands in a file."""
    return json.dumps(schema_of(kind), ensure_ascii=False, indent=2) + "\n"


class _ForEditors(GenerateJsonSchema):
    """Plain titles, and no defaults that say nothing: an editor would show them, or write them into the file."""

    def get_title_from_name(self, name: str) -> str:
        return name.replace("_", " ").capitalize()

    def default_schema(self, schema: WithDefaultSchema) -> JsonSchemaValue:
        made = super().default_schema(schema)
        default = made.get("default")
        if default is None or default in ("", []) or isinstance(default, dict):
            made.pop("default", None)
        return made
