"""The three jobs that can be played: who says what, and how it has to end."""

from dataclasses import dataclass, field, replace

from ainp.core.attestation import ACCEPTED, AUDIT_FAIL, AUDIT_PASS, REJECTED
from ainp.core.receipt import Failure, ReceiptStatus

AUDITORS = 9  # more than seats, so that the lottery has something to decide, also after an extension
QUORUM, SEATS = 3, 5
GRANT = 1_000_000
PRICES = (80, 120, 100)  # credits: what is offered, what is asked, what is agreed
DELIVERY_MS = 60_000
_WINDOW_S = 3  # time for a busy machine to hear the voices that come at once, and short enough to wait for

_RULES = {"POU_K": str(QUORUM), "POU_M": str(SEATS), "INITIAL_CREDITS": str(GRANT)}


@dataclass(frozen=True, slots=True)
class Voice:
    """What somebody says about the work."""

    kind: str
    score: float
    confidence: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """Verdicts of the seats as they are drawn; who is not named is silent, until *later* come the seats drawn then."""

    title: str
    verdicts: tuple[Voice, ...]
    client: Voice
    later: tuple[Voice, ...] = ()
    status: ReceiptStatus
    failure: Failure | None = None
    environment: dict[str, str] = field(default_factory=lambda: dict(_RULES))

    @property
    def strict(self) -> bool:
        """Whether nothing is believed that is not signed."""
        return self.environment.get("AUTH_MODE") == "strict"

    def in_mode(self, auth_mode: str) -> "Plot":
        """The same job, with a broker in this mode; auditors are as old as the job in strict mode, too."""
        mode = {"AUTH_MODE": auth_mode, "POU_COMMITTEE_MIN_AGE_MINUTES": "0"}
        return replace(self, environment={**self.environment, **mode})

    @property
    def silent(self) -> int:
        """How many of the first seats never speak; an extension draws as many."""
        return SEATS - len(self.verdicts)


FINALIZES = Plot(
    title="a job that is done well",
    verdicts=(
        Voice(AUDIT_PASS, 0.9, 0.95),
        Voice(AUDIT_FAIL, 0.3, 0.6),
        Voice(AUDIT_PASS, 0.85, 0.9),
        Voice(AUDIT_PASS, 0.95, 0.9),
        Voice(AUDIT_PASS, 0.8, 0.85),
    ),
    client=Voice(ACCEPTED, 0.95, 0.98),
    status=ReceiptStatus.FINALIZED,
)
FAILS = Plot(
    title="a job that is done badly",
    verdicts=(
        Voice(AUDIT_FAIL, 0.1, 0.95),
        Voice(AUDIT_PASS, 0.6, 0.55),
        Voice(AUDIT_FAIL, 0.2, 0.9),
        Voice(AUDIT_FAIL, 0.15, 0.9),
        Voice(AUDIT_FAIL, 0.3, 0.8),
    ),
    client=Voice(REJECTED, 0.1, 0.9),
    status=ReceiptStatus.FAILED,
    failure=Failure.VERDICTS,
)
IS_EXTENDED = Plot(
    title="a job whose committee is silent in part",
    verdicts=(Voice(AUDIT_PASS, 0.9, 0.95), Voice(AUDIT_PASS, 0.85, 0.9)),
    client=Voice(ACCEPTED, 0.95, 0.98),
    later=(Voice(AUDIT_PASS, 0.8, 0.9), Voice(AUDIT_FAIL, 0.4, 0.7), Voice(AUDIT_PASS, 0.9, 0.8)),
    status=ReceiptStatus.FINALIZED,
    environment={
        **_RULES,
        "POU_ATTEST_WINDOW_MINUTES": str(_WINDOW_S / 60),
        "POU_FINALIZER_CRON": "* * * * * *",  # every second, as the window is over in seconds
    },
)
