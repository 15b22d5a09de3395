"""Checkpoints: what a trail's head was at a time, signed, to be kept where the trail's writer cannot reach it.

A checkpoint is a small JSON file: how many records there were, the hash of the last one, the time, and an Ed25519
signature (RFC 8032) over the canonical form of the rest. A trail that was cut off, replaced, put back to an older
copy, or altered with every later hash computed anew no longer has that hash at that place.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, cast

from guardrails.audit._store import canonical
from guardrails.audit._texts import timestamp
from guardrails.errors import AuditError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

_VERSION = 1
_NO_KEY = "is no Ed25519 key in PEM. `openssl genpkey -algorithm ed25519 -out FILE` makes one"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """That a trail had `count` records at `time`, and that the hash of the last one was `head`.

    `key` is the public key that signed it, 32 bytes in base64. A checkpoint is worth as much as the place that it
    is kept in, or as the secrecy of its key.

    >>> print(Checkpoint(120, "ab…", datetime(2026, 11, 23, 9, 30, tzinfo=UTC), "", ""))
    the checkpoint of 2026-11-23 09:30:00 UTC
    """

    count: int
    head: str
    time: datetime
    key: str
    signature: str

    @classmethod
    def sign(cls, count: int, head: str, key: Path) -> Self:
        """A checkpoint of now, signed with the private key in a PEM file.

        Raises:
            AuditError: there is no such key, or the extra `sign` is not installed.
        """
        private = _private_key(key)
        public = base64.b64encode(private.public_key().public_bytes_raw()).decode()
        unsigned = cls(count, head, datetime.now(UTC), public, "")
        signature = base64.b64encode(private.sign(unsigned._signed())).decode()
        return cls(count, head, unsigned.time, public, signature)

    @classmethod
    def read(cls, file: Path, key: Path | None = None) -> Self:
        """The checkpoint in a file, its signature checked; `key` is the public key (PEM) that it has to be by.

        Raises:
            AuditError: it is no checkpoint, it was altered, or another key signed it.
        """
        try:
            told = json.loads(file.read_bytes())
            checkpoint = cls(
                int(told["count"]),
                str(told["head"]),
                datetime.fromisoformat(told["time"]),
                str(told["key"]),
                str(told["signature"]),
            )
            made_as = told["checkpoint"]
        except OSError as error:
            raise AuditError(f"the checkpoint {file} cannot be read: {error.strerror}.") from error
        except (ValueError, LookupError, TypeError, OverflowError, RecursionError) as error:
            raise AuditError(f"{file} is no checkpoint. `guardrails audit checkpoint` makes one.") from error
        if made_as != _VERSION:
            raise AuditError(f"{file} was written by a later version. Upgrade constitutional-guardrails.")
        # One spelling only: another zone, say, would read differently to different readers.
        if json.dumps(told, sort_keys=True) != json.dumps(json.loads(checkpoint.text), sort_keys=True):
            raise AuditError(f"the checkpoint {file} is not as it was written: it was altered.")
        checkpoint._check(file, key)
        return checkpoint

    @property
    def text(self) -> str:
        """What stands in the file."""
        fields = {**asdict(self), "time": timestamp(self.time), "checkpoint": _VERSION}
        return json.dumps(fields, indent=2, sort_keys=True) + "\n"

    def __str__(self) -> str:
        return f"the checkpoint of {self.time:%Y-%m-%d %H:%M:%S} UTC"

    def _signed(self) -> bytes:
        fields: dict[str, Any] = {"checkpoint": _VERSION, "count": self.count, "head": self.head, "key": self.key}
        return canonical({**fields, "time": timestamp(self.time)})

    def _check(self, file: Path, key: Path | None) -> None:
        ed25519 = _ed25519()
        if key is not None and base64.b64encode(_public_key(key).public_bytes_raw()).decode() != self.key:
            raise AuditError(f"the checkpoint {file} was signed by another key than that in {key}: do not trust it.")
        from cryptography.exceptions import InvalidSignature

        try:
            public = ed25519.Ed25519PublicKey.from_public_bytes(base64.b64decode(self.key, validate=True))
            public.verify(base64.b64decode(self.signature, validate=True), self._signed())
        except (InvalidSignature, binascii.Error, ValueError) as error:
            raise AuditError(f"the signature of the checkpoint {file} does not fit: it was altered.") from error


def make_key(file: str | os.PathLike[str]) -> None:
    """Make a private key, for its owner's eyes only, and its public key beside it, `FILE.pub`.

    Raises:
        AuditError: the file is there already, or cannot be written.
    """
    file = Path(file)
    private = _ed25519().Ed25519PrivateKey.generate()
    from cryptography.hazmat.primitives import serialization

    pem = serialization.Encoding.PEM
    secret = private.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    public = private.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as out:
            out.write(secret)
        public_key_file(file).write_bytes(public)
    except OSError as error:
        raise AuditError(f"the key {file} cannot be written: {error.strerror}.") from error


def public_key_file(file: Path) -> Path:
    """Where `make_key` puts the public key."""
    return file.with_name(file.name + ".pub")


def _private_key(file: Path) -> Ed25519PrivateKey:
    ed25519 = _ed25519()
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(_read(file), None)
    except (ValueError, TypeError, _unsupported()) as error:  # TypeError: it is encrypted
        raise AuditError(f"{file} {_NO_KEY}; it may not be encrypted.") from error
    if not isinstance(key, ed25519.Ed25519PrivateKey):
        raise AuditError(f"{file} {_NO_KEY}.")
    return cast("Ed25519PrivateKey", key)


def _public_key(file: Path) -> Ed25519PublicKey:
    ed25519 = _ed25519()
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(_read(file))
    except (ValueError, _unsupported()) as error:
        raise AuditError(f"{file} is no public key in PEM. `openssl pkey -in KEY -pubout` prints a key's.") from error
    if not isinstance(key, ed25519.Ed25519PublicKey):
        raise AuditError(f"{file} is no Ed25519 public key in PEM.")
    return cast("Ed25519PublicKey", key)


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise AuditError(f"the key {file} cannot be read: {error.strerror}.") from error


def _unsupported() -> type[Exception]:
    from cryptography.exceptions import UnsupportedAlgorithm

    return UnsupportedAlgorithm


def _ed25519() -> Any:
    try:
        from cryptography.hazmat.primitives.asymmetric import ed25519
    except ImportError as error:
        raise AuditError(
            "checkpoints are signed with the package cryptography: pip install 'constitutional-guardrails[sign]'"
        ) from error
    return ed25519
