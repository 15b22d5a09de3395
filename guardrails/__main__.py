"""`python -m guardrails` is the command `guardrails`."""

from guardrails.cli import main

if __name__ == "__main__":  # processes that verify a long trail import it, too
    main()
