"""An async service around an Anthropic client: the guarded method still returns the SDK's `Message`.

Claude answers, Claude judges, and where a principle is broken Claude edits the sentences at fault; the
rules of the constitution run beside it. Needs ANTHROPIC_API_KEY. Customers are served concurrently, and
one whose reply is blocked reads the constitution's fallback text.
"""

import asyncio

from anthropic import AsyncAnthropic
from anthropic.types import Message

from guardrails import Budget, Guard, labels, outcome_of

MODEL = "claude-haiku-4-5"
finance = Guard("finance", model=f"anthropic:{MODEL}", on_blocked="fallback", budget=Budget(seconds=30, calls=8))


class CustomerDesk:
    """Answers the customers of a bank."""

    def __init__(self, client: AsyncAnthropic) -> None:
        self._client = client

    @finance
    async def answer(self, question: str) -> Message:
        """Ask the model; the guard reviews what it says before the caller has it."""
        return await self._client.messages.create(
            model=MODEL, max_tokens=500, messages=[{"role": "user", "content": question}]
        )

    async def serve(self, customer: str, question: str) -> str:
        """Answer one customer, and label the record with who it was."""
        with labels(customer=customer):
            message = await self.answer(question)
        outcome = outcome_of(message)
        cost = f"{outcome.usage.calls} calls to judge and revise"
        return f"{customer}: {message.content[0].text}\n  {outcome.status}; drafts: {len(outcome.attempts)}; {cost}"


async def main() -> None:
    """Serve two customers at once."""
    async with AsyncAnthropic() as client, finance:
        desk = CustomerDesk(client)
        served = await asyncio.gather(
            desk.serve("ann", "What does an index fund do?"),
            desk.serve("bob", "Is the Everest fund any good?"),
        )
    print("\n".join(served))


if __name__ == "__main__":
    asyncio.run(main())
