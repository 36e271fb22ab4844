"""
What can go wrong when a broker is asked, as exceptions to catch.

    AinpError
    ├── BadKey              a private key, or the file that it stands in, can't be used
    ├── BadSetting          an address or a variable of the environment can't be used
    ├── NoIdentity          a client without an identity can't ask for this
    ├── Unreachable         no answer in time; whatever was asked may have been done, or not
    ├── Unexpected          an answer that is no broker's
    └── Refused             the broker has said no: status, code, message, facts
        ├── Invalid         400: what was asked makes no sense
        ├── Unauthorized    401: it is not proven who asks
        ├── InsufficientCredits
        ├── Forbidden       403
        ├── NotFound        404
        ├── Conflict        409: not as things stand; QuorumNotMet, ProposalChanged and others say how
        ├── Expired         410
        ├── RateLimited     429: later
        └── Unavailable     502, 503, 504: later
"""

from collections.abc import Mapping
from typing import ClassVar


class AinpError(Exception):
    """Something went wrong between an agent and a broker."""


class BadKey(AinpError, ValueError):
    """A private key, or the file that it stands in, can't be used; the message says why."""


class BadSetting(AinpError, ValueError):
    """An address or a variable of the environment can't be used."""


class NoIdentity(AinpError):
    """A client without an identity was asked for what somebody has to ask for."""


class Unreachable(AinpError):
    """There was no answer in time; whatever was asked may have been done, or not."""


class Unexpected(AinpError):
    """There was an answer that a broker of this version does not give."""


class Refused(AinpError):
    """The broker has refused; *code* names why, *facts* are what else it said, for programs."""

    _by_code: ClassVar[dict[str, type["Refused"]]] = {}
    _by_status: ClassVar[dict[int, type["Refused"]]] = {}

    def __init_subclass__(cls, *, code: str = "", statuses: tuple[int, ...] = ()) -> None:
        if code:
            Refused._by_code[code] = cls
        Refused._by_status.update(dict.fromkeys(statuses, cls))

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        facts: Mapping[str, object] | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.facts = facts or {}
        self.retry_after_s = retry_after_s

    @staticmethod
    def kind(status: int, code: str) -> type["Refused"]:
        """The most telling class of such a refusal."""
        return Refused._by_code.get(code) or Refused._by_status.get(status, Refused)


class Invalid(Refused, statuses=(400, 405, 408, 413, 414, 415, 431)):
    """What was asked makes no sense to the broker, or is too much."""


class Unauthorized(Refused, statuses=(401,)):
    """It is not proven who asks."""


class InsufficientCredits(Refused, statuses=(402,)):
    """The client has less than the price."""


class Forbidden(Refused, statuses=(403,)):
    """Not for this agent."""


class NotFound(Refused, statuses=(404,)):
    """There is no such thing."""


class Conflict(Refused, statuses=(409,)):
    """Not as things stand now."""


class InvalidState(Conflict, code="INVALID_STATE"):
    """The negotiation or receipt is past this, or not there yet."""


class NotYourTurn(Conflict, code="NOT_YOUR_TURN"):
    """It is for the other party to speak."""


class ProposalChanged(Conflict, code="PROPOSAL_CHANGED"):
    """What was to be accepted is not the latest proposal any more."""


class DuplicateAttestation(Conflict, code="DUPLICATE_ATTESTATION"):
    """This agent has said its part already."""


class ReceiptClosed(Conflict, code="RECEIPT_CLOSED"):
    """The receipt is judged."""


class QuorumNotMet(Conflict, code="QUORUM_NOT_MET"):
    """Too few have passed the work so far; `needed` and `have` are among the facts."""


class ReplayDetected(Conflict, code="REPLAY_DETECTED"):
    """This very signature was used before."""


class Expired(Refused, statuses=(410,)):
    """It was open once."""


class RateLimited(Refused, statuses=(429,)):
    """Too many requests; `retry_after_s` says when there may be more."""


class Unavailable(Refused, statuses=(502, 503, 504)):
    """The broker can't at this moment."""
