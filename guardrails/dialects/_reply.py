"""A whole reply in the type it came in, with the alternatives that it holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from guardrails.dialects._interface import Choice, Dialect
from guardrails.errors import UnsupportedReply


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply as a call returned it: `value`, read by its `dialect`."""

    value: Any
    dialect: Dialect
    choices: tuple[Choice, ...]

    @property
    def only(self) -> Choice:
        """The one alternative of a reply that is reviewed as a whole.

        Raises:
            UnsupportedReply: there are several, or none.
        """
        if len(self.choices) != 1:
            raise UnsupportedReply(
                f"the reply has {len(self.choices)} choices, and a review is of one. Ask for one: leave out n=, or "
                "guard the call itself, which reviews each."
            )
        return self.choices[0]

    def with_texts(self, texts: Sequence[str]) -> Any:
        """The same reply with other texts, one an alternative."""
        if list(texts) == [choice.text for choice in self.choices]:
            return self.value
        return self.dialect.with_texts(self.value, texts)

    def fallback(self, text: str) -> Any:
        """The reply with a fallback in place of all that it held."""
        return self.dialect.fallback(self.value, text)
