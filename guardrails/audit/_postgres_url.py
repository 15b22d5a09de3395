"""The URL of a PostgreSQL database, with its secrets and without."""

from __future__ import annotations

import re
from urllib.parse import unquote

from guardrails.errors import ConfigurationError

_SECRETS = frozenset({"password", "sslpassword", "scram_client_key", "scram_server_key", "oauth_client_secret"})
"""The parameters that nobody else may see (PostgreSQL's documentation, libpq, connection parameters)."""

_ADVICE = (
    "Write postgresql://user@host:5432/database. In names and passwords, percent-encode what is no letter or digit"
    " (@ as %40, / as %2F), or leave the password to PGPASSWORD or ~/.pgpass."
)


def without_secrets(url: str) -> str:
    """The URL without its password, read as libpq reads it: a user and a password end at the first `@`.

    >>> without_secrets("postgresql://bank:s3cret@db.example/audit?sslmode=verify-full&password=s3cret")
    'postgresql://bank@db.example/audit?sslmode=verify-full'

    Raises:
        ConfigurationError: libpq would not understand it, or not as it was meant. The message holds nothing of it.
    """
    scheme, _, rest = url.partition("://")
    at = re.search("[@/]", rest)
    who, rest = (rest[: at.start()], rest[at.end() :]) if at and at.group() == "@" else (None, rest)
    place, _, query = rest.partition("?")
    # What stands before another @ may be the rest of a password.
    if "@" in place or re.search("%(?![0-9a-fA-F]{2})|%00|[\0\\s]", url):
        raise ConfigurationError(f"the URL of the audit trail's database cannot be read. {_ADVICE}")
    hosts = place.partition("/")[0]
    if re.search(r":(?!\d*(,|$))", re.sub(r"\[[^]]*\]", "", hosts)):
        raise ConfigurationError(f"the URL of the audit trail's database has a port that is no number. {_ADVICE}")
    user = "" if who is None else who.partition(":")[0] + "@"
    kept = [pair for pair in query.split("&") if pair and unquote(pair.partition("=")[0]) not in _SECRETS]
    return f"{scheme}://{user}{place}" + ("?" + "&".join(kept) if kept else "")
