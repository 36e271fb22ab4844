"""Whether the demo's checks would see a lie."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import pytest
from msgspec.structs import replace as but

from ainp.cli.demo.broker import DemoBroker
from ainp.cli.demo.cast import Cast
from ainp.cli.demo.checks import examine
from ainp.cli.demo.evidence import Evidence
from ainp.cli.demo.play import Story
from ainp.cli.demo.plot import FAILS, FINALIZES, Plot
from ainp.cli.demo.show import Show
from ainp.client import verify_receipt
from ainp.wire.receipts import ReceiptWithAttestations
from ainp.wire.reputation import AuditorReply
from support.fixtures import module_database_url
from support.listening import a_telling_broker

__all__ = ["module_database_url"]


@dataclass
class Played:
    """A story's evidence, and whose it is."""

    evidence: Evidence
    cast: Cast

    def wrong(self, evidence: Evidence, plot: Plot = FINALIZES) -> list[str]:
        """The claims that do not hold."""
        claims = examine(plot, evidence, client=self.cast.client.did, worker=self.cast.worker.did)
        return [claim.text for claim in claims if claim.problems]


@pytest.fixture(scope="module")
async def played(module_database_url: str, anyio_backend: str) -> AsyncIterator[Played]:
    """What a job leaves behind, played with a broker in this process."""
    async with a_telling_broker(module_database_url) as telling:
        url = f"http://127.0.0.1:{telling.port}"
        async with httpx.AsyncClient() as http:
            cast = Cast(url, http)
            story = Story(DemoBroker(Path(), url, module_database_url), FINALIZES, Show(), cast)
            yield Played(await story.play(), cast)


def test_what_is_true_is_found_true(played: Played) -> None:
    assert played.wrong(played.evidence) == []


def test_another_ending_than_the_announced_one_is_seen(played: Played) -> None:
    assert len(played.wrong(played.evidence, FAILS)) >= 3


def with_first(e: Evidence, **changes: object) -> ReceiptWithAttestations:
    first, *others = e.receipt.attestations
    return but(e.receipt, attestations=[but(first, **changes), *others])


def of_second(e: Evidence, name: str) -> object:
    return getattr(e.receipt.attestations[1], name)


Lie = Callable[[Evidence], Evidence]
LIES: dict[str, tuple[str, Lie]] = {
    "status": ("announced", lambda e: replace(e, receipt=but(e.receipt, status="failed"))),
    "statement": ("statement", lambda e: replace(e, statement=e.statement.replace(b"100000", b"100001"))),
    "signature": ("attestation", lambda e: replace(e, receipt=with_first(e, signature=of_second(e, "signature")))),
    "verdict": ("attestation", lambda e: replace(e, receipt=with_first(e, statement=of_second(e, "statement")))),
    "voice": ("attestation", lambda e: replace(e, receipt=but(e.receipt, attestations=e.receipt.attestations[1:]))),
    "seed": ("seed", lambda e: replace(e, course=replace(e.course, commitment="0" * 64))),
    "committee": ("draw", lambda e: replace(e, committee=but(e.committee, committee=e.committee.committee[::-1]))),
    "list": ("draw", lambda e: replace(e, epoch=but(e.epoch, weights=[2, *e.epoch.weights[1:]]))),
    "balance": ("no credit", lambda e: replace(e, money={**e.money, e.receipt.agent_did: 1})),
    "entry": ("agreed part", lambda e: replace(e, entries={**e.entries, str(e.receipt.client_did): ()})),
    "reputation": ("reputation", lambda e: replace(e, reputation=but(e.reputation, r=0.9))),
    "change": ("reputation", lambda e: replace(e, history=[but(e.history[0], after=0.9), *e.history[1:]])),
    "record": ("record", lambda e: replace(e, auditors=dict.fromkeys(e.auditors, AuditorReply(1, 0, 0)))),
    "gap": ("was told", lambda e: replace(e, heard={**e.heard, "worker": e.heard["worker"][1:]})),
    "event": ("was told", lambda e: replace(e, heard={**e.heard, "client": [*e.heard["client"], (99, "judged")]})),
    "books": ("fsck", lambda e: replace(e, books=[*e.books, "ledger-sum: found 1, expected 0"])),
}


@pytest.mark.parametrize("name", ["statement", "signature", "verdict", "committee", "list"])
def test_anybody_sees_the_lies_about_the_receipt_itself(played: Played, name: str) -> None:
    _, lie = LIES[name]

    assert verify_receipt(played.evidence.published) == []
    assert verify_receipt(lie(played.evidence).published)


@pytest.mark.parametrize(("claim", "lie"), LIES.values(), ids=LIES)
def test_a_lie_is_seen(played: Played, claim: str, lie: Lie) -> None:
    assert any(claim in text for text in played.wrong(lie(played.evidence)))
