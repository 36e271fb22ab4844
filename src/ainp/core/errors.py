"""
Every refusal the broker can give, as one tree.

    BrokerError
    ├── InvalidRequest      what can never work as it was sent
    ├── Unauthenticated     no proof of identity, or a bad one
    ├── InsufficientCredits
    ├── Forbidden           not yours
    ├── NotFound
    ├── Conflict            the state does not allow it, or it was done already
    ├── Expired
    ├── TooLarge, UriTooLong, HeaderTooLarge
    ├── RequestTimeout
    ├── UnsupportedMedia
    ├── RateLimited         too often; later
    └── Unavailable         a dependency is down; try again

A class has one stable ``code``; its facts travel beside the message. Bugs are not in this tree.
"""

from typing import ClassVar


class BrokerError(Exception):
    """A refusal: *message* says what was found and what was expected, *facts* repeat it for programs."""

    code: ClassVar[str] = "ERROR"

    def __init__(self, message: str, **facts: object) -> None:
        super().__init__(message)
        self.message = message
        self.facts = facts


class InvalidRequest(BrokerError):
    """The request can never work as it was sent."""

    code = "INVALID_REQUEST"


class InvalidJson(InvalidRequest):
    """The body is not JSON (RFC 8259)."""

    code = "INVALID_JSON"


class MalformedHttp(InvalidRequest):
    """The request is not HTTP/1.1, or two readers could understand two things."""

    code = "MALFORMED_HTTP"


class InvalidDid(InvalidRequest):
    """The text is not a DID that this broker accepts."""

    code = "INVALID_DID"


class InvalidProposal(InvalidRequest):
    """The proposed terms can't be agreed on: a price, a time, a share out of range."""

    code = "INVALID_PROPOSAL"


class InvalidProof(InvalidRequest):
    """A usefulness proof measures what can't be: a metric out of range, or none for its kind of work."""

    code = "INVALID_PROOF"


class InvalidWorkType(InvalidRequest):
    """A usefulness proof of a kind of work that nobody knows."""

    code = "INVALID_WORK_TYPE"


class EmptyMetrics(InvalidRequest):
    """A usefulness proof in which nothing was done."""

    code = "EMPTY_METRICS"


class StaleProof(InvalidRequest):
    """A usefulness proof of another time."""

    code = "STALE_PROOF"


class FraudDetected(InvalidRequest):
    """Usefulness proofs that look made up."""

    code = "FRAUD_DETECTED"


class OwnProposal(InvalidRequest):
    """A party tried to accept what it proposed itself."""

    code = "OWN_PROPOSAL"


class SelfNegotiation(InvalidRequest):
    """Both parties are the same agent."""

    code = "SELF_NEGOTIATION"


class InvalidEnvelope(InvalidRequest):
    """What was sent is no envelope: members are missing, stand twice or are of the wrong kind."""

    code = "INVALID_ENVELOPE"


class UnsupportedMsgType(InvalidRequest):
    """The envelope's kind of message is not for this route."""

    code = "UNSUPPORTED_MSG_TYPE"


class InvalidAdvertisement(InvalidRequest):
    """The payload does not say what the agent can do."""

    code = "INVALID_ADVERTISE_PAYLOAD"


class InvalidDiscovery(InvalidRequest):
    """The payload does not say what is looked for."""

    code = "INVALID_DISCOVER_PAYLOAD"


class InvalidQuery(InvalidRequest):
    """A search that does not say what is looked for."""

    code = "INVALID_QUERY"


class UnsupportedVersion(InvalidRequest):
    """The envelope is of a version of the protocol that this broker does not speak."""

    code = "UNSUPPORTED_VERSION"


class InvalidTimestamp(InvalidRequest):
    """The envelope was not made now, as this broker's clock has it."""

    code = "INVALID_TIMESTAMP"


class EnvelopeExpired(InvalidRequest):
    """The envelope's time to live is over."""

    code = "ENVELOPE_EXPIRED"


class Unauthenticated(BrokerError):
    """Nobody is named, or the proof does not fit who is named."""

    code = "UNAUTHORIZED"


class InvalidSignature(Unauthenticated):
    """The signature does not verify."""

    code = "INVALID_SIGNATURE"


class NoVerificationKey(InvalidSignature):
    """There is no key to verify with: the DID carries none, or its document can't be had."""

    code = "SIGNATURE_VERIFICATION_ERROR"


class InsufficientCredits(BrokerError):
    """The account has less than the operation needs; amounts are atomic units."""

    code = "INSUFFICIENT_CREDITS"

    def __init__(self, *, needed: int, have: int, of: str | None = None) -> None:
        super().__init__(f"Insufficient balance: need {needed}, have {have}", needed=str(needed), have=str(have))
        self.missing, self.of = needed - have, of  # a payment of so much would help, if it is theirs who ask


class Forbidden(BrokerError):
    """The actor may not do this."""

    code = "FORBIDDEN"


class UnauthorizedAttestation(Forbidden):
    """Only the one whose role it is may attest this."""

    code = "UNAUTHORIZED_ATTESTATION"


class SelfAttestation(Forbidden):
    """The working agent attests nothing on its own receipt."""

    code = "SELF_ATTESTATION"


class UntrustedRequest(Forbidden):
    """The request did not come the way an unsigned request must come."""

    code = "UNTRUSTED_REQUEST"


class NotFound(BrokerError):
    """There is no such thing."""

    code = "NOT_FOUND"


class AgentNotFound(NotFound):
    """No agent is registered under this DID."""

    code = "AGENT_NOT_FOUND"


class MethodNotAllowed(BrokerError):
    """The path exists, the method does not."""

    code = "METHOD_NOT_ALLOWED"


class Conflict(BrokerError):
    """The state does not allow it."""

    code = "CONFLICT"


class InvalidState(Conflict):
    """The negotiation is past the point where this move is legal, or not yet there."""

    code = "INVALID_STATE"


class NotYourTurn(Conflict):
    """Proposals strictly alternate."""

    code = "NOT_YOUR_TURN"


class MaxRoundsExceeded(Conflict):
    """The negotiation has used up its rounds."""

    code = "MAX_ROUNDS_EXCEEDED"


class ProposalChanged(Conflict):
    """What was accepted is not the current proposal any more."""

    code = "PROPOSAL_CHANGED"


class TooManyOpen(Conflict):
    """The initiator has as many open negotiations with this responder as it may have."""

    code = "TOO_MANY_OPEN"


class DuplicateAttestation(Conflict):
    """The same DID has said this already."""

    code = "DUPLICATE_ATTESTATION"


class AttestationLimit(Conflict):
    """The agent, or the receipt, has all the attestations it may have."""

    code = "ATTESTATION_LIMIT"


class ReceiptClosed(Conflict):
    """The receipt has been judged; nobody is heard any more."""

    code = "RECEIPT_CLOSED"


class QuorumNotMet(Conflict):
    """Too few voices to finalize."""

    code = "QUORUM_NOT_MET"

    def __init__(self, *, needed: int, have: int) -> None:
        super().__init__(f"QUORUM_NOT_MET: needed {needed}, have {have}", needed=needed, have=have)


class InsufficientStake(Conflict):
    """Less is staked than is to be withdrawn; amounts are atomic units."""

    code = "INSUFFICIENT_STAKE"

    def __init__(self, *, needed: int, have: int) -> None:
        super().__init__(f"Insufficient stake: need {needed}, have {have}", needed=str(needed), have=str(have))


class NoWithdrawal(Conflict):
    """Nothing is being withdrawn, or it was paid already."""

    code = "NO_WITHDRAWAL"


class IdempotencyConflict(Conflict):
    """The Idempotency-Key was used with another body."""

    code = "IDEMPOTENCY_KEY_REUSED"


class DuplicateProof(Conflict):
    """The agent has submitted a proof of this trace already."""

    code = "DUPLICATE_PROOF"


class ReplayDetected(Conflict):
    """The signed request or envelope was used before."""

    code = "REPLAY_DETECTED"


class Expired(BrokerError):
    """It was open once."""

    code = "EXPIRED"


class TooLarge(BrokerError):
    """The body is larger than the broker reads."""

    code = "PAYLOAD_TOO_LARGE"


class UriTooLong(BrokerError):
    """The request's target is longer than the broker reads."""

    code = "URI_TOO_LONG"


class HeaderTooLarge(BrokerError):
    """The request's header has more bytes, or more fields, than the broker reads."""

    code = "HEADER_TOO_LARGE"


class RequestTimeout(BrokerError):
    """The request did not arrive in time."""

    code = "REQUEST_TIMEOUT"


class UnsupportedMedia(BrokerError):
    """The body is of a kind the broker does not read."""

    code = "UNSUPPORTED_MEDIA_TYPE"


class RateLimited(BrokerError):
    """More requests than the limit of this DID, or of this address, in this group lets through."""

    code = "RATE_LIMIT_EXCEEDED"

    def __init__(self, *, whose: str, limit: str, retry_after_ms: int) -> None:
        super().__init__(f"Too many requests: {whose} has {limit}", retry_after_ms=retry_after_ms)
        self.retry_after_ms = retry_after_ms


class Unavailable(BrokerError):
    """A dependency is down, or too many write the same thing; the same request may work later."""

    code = "UNAVAILABLE"


class TooManyConnections(Unavailable):
    """This process, or this address, has as many connections as it may have."""

    code = "TOO_MANY_CONNECTIONS"


class FeatureDisabled(Unavailable):
    """The operator has switched this off."""

    code = "FEATURE_DISABLED"


class DatabaseUnavailable(Unavailable):
    """PostgreSQL does not answer."""

    code = "DATABASE_UNAVAILABLE"


class EmbeddingsUnavailable(Unavailable):
    """What makes vectors of texts, or what compares them, is not there; everything else works."""

    code = "EMBEDDINGS_UNAVAILABLE"


class SchemaBehind(Unavailable):
    """Migrations are missing for this part of the broker."""

    code = "SCHEMA_BEHIND"
