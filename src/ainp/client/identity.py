"""An agent's key, and what it signs."""

import base64
import binascii
import os
import time
from collections.abc import Mapping
from pathlib import Path
from uuid import UUID, uuid4

from nacl.signing import SigningKey

from ainp.client import key_file
from ainp.client.errors import BadKey
from ainp.core import socket_proof
from ainp.core.attestation import Attestation
from ainp.core.canonical import canonical
from ainp.core.did import AgentDid, did_of_key, parse_did
from ainp.core.envelope import VERSION
from ainp.core.errors import InvalidDid
from ainp.core.ids import TaskId
from ainp.core.terms import read_terms
from ainp.wire.receipts import AttestBody


class Identity:
    """
    An Ed25519 key and the DID that it speaks for: the did:key that it is, or a did:web that lists it.

    Of a did:web with several keys *key_id* names this one, by its URL in the document.
    """

    def __init__(self, key: SigningKey, *, did: str | None = None, key_id: str | None = None) -> None:
        own = did_of_key(bytes(key.verify_key))
        try:
            self.did: AgentDid = own if did is None else parse_did(did)
        except InvalidDid as error:
            raise BadKey(error.message) from error
        if self.did != own and self.did.startswith("did:key:"):
            raise BadKey(f"the private key is that of {own}, not of {self.did}")
        self.key_id = self.did if key_id is None else key_id
        self._key = key

    def __repr__(self) -> str:
        return f"Identity({self.key_id})"

    @classmethod
    def new(cls) -> "Identity":
        """Make a key that nobody has had; `save` it, or it is gone with the program."""
        return cls(SigningKey.generate())

    @classmethod
    def of(cls, private_key: str, *, did: str | None = None, key_id: str | None = None) -> "Identity":
        """Take a private key as `ainp keys new` prints it: 32 bytes in base64. Raises BadKey."""
        try:
            key = SigningKey(base64.b64decode(private_key, validate=True))
        except (binascii.Error, ValueError, TypeError) as error:  # the text is a secret, so it is not repeated
            raise BadKey("the private key is not 32 bytes in base64, as `ainp keys new` writes it") from error
        return cls(key, did=did, key_id=key_id)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "Identity":
        """Read the file that `save` or `ainp keys new --out` has written; refuse one that others can read."""
        said = key_file.read(Path(path))
        return cls.of(said.private_key, did=said.did, key_id=said.key_id)

    @classmethod
    def from_env(cls, environment: Mapping[str, str] = os.environ) -> "Identity":
        """Take AINP_KEY_FILE, or AINP_PRIVATE_KEY with AINP_DID and AINP_KEY_ID if the DID is a did:web."""
        found = cls.from_env_if_any(environment)
        if found is None:
            raise BadKey("neither AINP_KEY_FILE nor AINP_PRIVATE_KEY is set; `ainp keys new` makes a key")
        return found

    @classmethod
    def from_env_if_any(cls, environment: Mapping[str, str] = os.environ) -> "Identity | None":
        """The same, or None where nothing is set."""
        if path := environment.get("AINP_KEY_FILE"):
            return cls.load(path)
        private_key = environment.get("AINP_PRIVATE_KEY")
        if not private_key:
            return None
        did, key_id = environment.get("AINP_DID") or None, environment.get("AINP_KEY_ID") or None
        return cls.of(private_key, did=did, key_id=key_id)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write it to a new file that only its owner can read; a file that is there is never overwritten."""
        key_id = None if self.key_id == self.did else self.key_id
        key_file.write(Path(path), key_file.Written(self.did, self.public_key, self.private_key, key_id))

    @property
    def public_key(self) -> str:
        """The 32 bytes that verify, in hex."""
        return bytes(self._key.verify_key).hex()

    @property
    def private_key(self) -> str:
        """The 32 secret bytes, in base64."""
        return base64.b64encode(bytes(self._key)).decode()

    def sign(self, data: bytes) -> str:
        """The signature over *data*, in base64."""
        return base64.b64encode(self.sign_raw(data)).decode()

    def sign_raw(self, data: bytes) -> bytes:
        """The 64 bytes of the signature over *data*."""
        return self._key.sign(data).signature

    def sign_terms(self, proposal: Mapping[str, object]) -> str:
        """
        Sign a proposal's terms: the 32 bytes of the hash of its canonical JSON.

        Raises InvalidProposal for what no broker should have let anybody propose, whatever this one says.
        """
        return self.sign(read_terms(dict(proposal), min_fee_bp=0).hash)

    def sign_challenge(self, challenge: str, *, audience: str) -> str:
        """Sign a socket's challenge, for the broker at the address *audience* and no other."""
        return self.sign(socket_proof.statement(self.did, challenge=challenge, audience=audience))

    def envelope(
        self, msg_type: str, payload: Mapping[str, object], *, to_did: str | None = None, ttl_ms: int = 60_000
    ) -> dict[str, object]:
        """A message that proves itself who has sent it: send it as JSON, unchanged; its id counts once."""
        said: dict[str, object] = {
            "version": VERSION,
            "id": str(uuid4()),
            "msg_type": msg_type,
            "from_did": self.did,
            "timestamp": int(time.time() * 1000),
            "ttl": ttl_ms,
            "payload": dict(payload),
        }
        if to_did is not None:
            said["to_did"] = to_did
        return {**said, "sig": self.sign(canonical(said))}

    def attest(
        self,
        task_id: str,
        kind: str,
        *,
        score: float | None = None,
        confidence: float | None = None,
        evidence_ref: str | None = None,
    ) -> AttestBody:
        """Say something about a receipt, signed over its canonical bytes."""
        said = Attestation(TaskId(UUID(task_id)), self.did, kind, score, confidence, evidence_ref)
        return AttestBody(
            type=kind,
            score=score,
            confidence=confidence,
            evidence_ref=evidence_ref,
            signature=self.sign(said.statement),
            by_did=self.did,
            task_id=task_id,
        )
