"""`guardrails schema`: what editors need to complete and to check the YAML."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from guardrails.authoring._json_schema import schema_of
from guardrails.cli._data import print_json


class Kind(StrEnum):
    """A kind of file."""

    CONSTITUTION = "constitution"
    PRINCIPLE = "principle"


def schema(kind: Annotated[Kind, typer.Argument(help="The kind of file.", show_default=False)]) -> None:
    """Print the JSON Schema of constitution.yaml or of a principle's file, for editors."""
    print_json(schema_of(kind))
