"""An agent's key, and what it signs."""

import base64
from collections.abc import Mapping
from uuid import UUID

from nacl.signing import SigningKey

from ainp.core.attestation import Attestation
from ainp.core.canonical import canonical, digest
from ainp.core.did import AgentDid, did_of_key
from ainp.core.ids import TaskId
from ainp.wire.receipts import AttestBody


class Identity:
    """An Ed25519 key and the did:key that it is."""

    def __init__(self, key: SigningKey) -> None:
        self._key = key
        self.did: AgentDid = did_of_key(bytes(key.verify_key))

    @classmethod
    def new(cls) -> "Identity":
        """Make a key that nobody has had; keep it as `ainp keys new` says."""
        return cls(SigningKey.generate())

    @classmethod
    def of(cls, private_key: str) -> "Identity":
        """Take the private key that `ainp keys new` has printed."""
        return cls(SigningKey(base64.b64decode(private_key, validate=True)))

    def sign(self, data: bytes) -> str:
        """The signature over *data*, in base64."""
        return base64.b64encode(self.sign_raw(data)).decode()

    def sign_raw(self, data: bytes) -> bytes:
        """The 64 bytes of the signature over *data*."""
        return self._key.sign(data).signature

    def sign_terms(self, proposal: Mapping[str, object]) -> str:
        """Sign a proposal's terms: the 32 bytes of the hash of its canonical JSON."""
        return self.sign(digest(canonical(dict(proposal))))

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
