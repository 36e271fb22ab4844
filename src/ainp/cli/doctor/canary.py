"""
The canary: a whole task on the broker that runs, by agents of a cohort of its own, and all its money back.

Each step is a line of the checklist. What comes after one that failed is not tried; the cohort is closed in any case.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import httpx
import msgspec
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from ainp.cli.connection import reason_of
from ainp.cli.doctor.asked import Way
from ainp.client import AinpError, AsyncClient, Identity, Refused, verify_receipt
from ainp.core.checkup import About, Line, Part
from ainp.core.did import parse_did
from ainp.core.words import counted
from ainp.operations import cohorts
from ainp.operations.committees import Epochs
from ainp.settings import Settings
from ainp.store.cohorts import Lent
from ainp.store.db import Database
from ainp.wire.negotiations import NegotiationReply, SettledReply
from ainp.wire.reputation import ReputationReply

_LENT = 10_000  # atomic units, or as much as it takes for a reputation to move
_ALL_S = 20.0  # for all of it
_NOTICE_S = 10.0
_DEFAULT_FEE_BP = 2000
_REPORT = "see PostgreSQL's log; `ainp fsck` proves the books. If both are right, report it: this is a bug"
_P = Part.CANARY

NEGOTIATED = About(_P, "negotiation", "Two agents negotiate, and the price is reserved")
SETTLED = About(_P, "settlement", "Receipt creation works (POST settle → receipt created)")
RECEIPT = About(_P, "receipt", "The receipt is pending, with its committee, k and m")
COMMITTEE = About(_P, "committee", "Committee selection works (GET committee → array of DIDs)")
MEMBERS = About(_P, "members-only", "Committee validation enforced (only committee members can submit AUDIT_PASS)")
CLIENT = About(_P, "client-only", "Client validation enforced (only client can submit ACCEPTED)")
SIGNED = About(_P, "signatures", "Signature verification on attestations")
ATTESTED = About(_P, "attestation", "Attestation submission works (POST attestation → 201)")
FINALIZED = About(_P, "finalized", "Automatic finalization works (pending → finalized)")
REPUTED = About(_P, "reputation-moved", "Reputation updates work (settlement → reputation.updated_at changed)")
NOTIFIED = About(_P, "notices", "WebSocket notifications work (settlement → both parties notified)")
RETURNED = About(_P, "returned", "The canary's money is back where it came from")
STEPS = (
    *(NEGOTIATED, SETTLED, RECEIPT, COMMITTEE, MEMBERS, CLIENT, SIGNED, ATTESTED, FINALIZED, REPUTED, NOTIFIED),
    RETURNED,
)


class _Broken(Exception):
    """A step did not go as it has to; *fix* is what to do."""

    def __init__(self, why: str, fix: str) -> None:
        super().__init__(why)
        self.fix = fix


@dataclass(slots=True)
class _Heard:
    """What an agent was told."""

    names: list[str] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)
    problem: str = ""


class Canary:
    """A client, a worker and m auditors, with the task that they have among them."""

    def __init__(self, way: Way, http: httpx.AsyncClient, settings: Settings) -> None:
        self._way, self._http, self._settings = way, http, settings
        self._agents = [
            AsyncClient(way.base, Identity.new(), timeout_s=10, http=http) for _ in range(settings.pou_m + 2)
        ]
        self._client, self._worker, *self._auditors = self._agents
        self._heard = {"client": _Heard(), "worker": _Heard()}
        self._agreed: NegotiationReply | None = None
        self._settled: SettledReply | None = None
        self._before: ReputationReply | None = None

    @property
    def dids(self) -> list[str]:
        """Its agents; the first is the client."""
        return [did_of(agent) for agent in self._agents]

    @property
    def lent(self) -> int:
        """What it takes."""
        return max(_LENT, self._settings.pou_min_reputation_price)

    def steps(self) -> list[tuple[About, Callable[[], Awaitable[str]]]]:
        """What is done, one after the other; each says how it went."""
        return [
            (NEGOTIATED, self._negotiate),
            (SETTLED, self._settle),
            (RECEIPT, self._look),
            (COMMITTEE, self._draw),
            (MEMBERS, self._members_only),
            (CLIENT, self._client_only),
            (SIGNED, self._signatures),
            (ATTESTED, self._attest),
            (FINALIZED, self._finalized),
            (REPUTED, self._reputation),
            (NOTIFIED, self._notices),
        ]

    async def listen(self) -> None:
        """Hear what the parties are told, until cancelled."""
        await asyncio.gather(self._listen("client", self._client), self._listen("worker", self._worker))

    async def _listen(self, name: str, agent: AsyncClient) -> None:
        """One socket, proven where the broker asks for it; a canary does not live long enough to resume."""
        heard, identity = self._heard[name], agent.identity
        assert identity is not None
        address = f"ws{self._way.url.removeprefix('http')}/ws?did={quote(identity.did, safe='')}&since=0"
        try:
            async with connect(address, proxy=None, **self._way.socket_of(identity.did)) as socket:
                async for text in socket:
                    frame = msgspec.json.decode(text, type=dict[str, Any])
                    if frame.get("type") == "challenge":
                        signed = identity.sign_challenge(str(frame.get("challenge")), audience=self._way.base)
                        proof = {"type": "proof", "did": identity.did, "key_id": identity.key_id, "signature": signed}
                        await socket.send(msgspec.json.encode(proof).decode())
                    elif "event" in frame:
                        heard.names.append(str(frame["event"]))
                        heard.news.set()
            heard.problem = "the socket was closed"
        except (OSError, WebSocketException, msgspec.MsgspecError) as error:
            heard.problem = str(error) or type(error).__name__
        heard.news.set()

    async def _negotiate(self) -> str:
        self._before = await self._worker.reputation()
        opened = await self._client.initiate(did_of(self._worker), self._terms, intent_id="ainp-doctor", ttl_minutes=5)
        self._agreed = await self._worker.accept(opened)
        return f"{self._agreed.reserved_atomic} atomic units reserved"

    @property
    def _terms(self) -> Mapping[str, Any]:
        price = self.lent // 1000 if self.lent % 1000 == 0 else self.lent / 1000
        fee = self._settings.min_fee_bps
        split = {"agent": 10_000 - fee, "broker": fee, "validator": 0, "pool": 0}
        return {"price": price, **({} if fee <= _DEFAULT_FEE_BP else {"incentive_split": split})}

    async def _settle(self) -> str:
        assert self._agreed is not None
        self._settled = await self._client.settle(self._agreed.id)
        return f"task {self._settled.task_id}"

    @property
    def _task(self) -> str:
        assert self._settled is not None
        return self._settled.task_id

    async def _look(self) -> str:
        receipt = await self._client.receipt(self._task)
        found = f"{receipt.status}, k={receipt.k}, m={receipt.m}, {counted(len(receipt.committee), 'seat')}"
        wanted = self._settings
        if (receipt.status, receipt.k, receipt.m) != ("pending", wanted.pou_k, wanted.pou_m):
            raise _Broken(
                found, f"the broker runs with other settings than k={wanted.pou_k}, m={wanted.pou_m}: restart it"
            )
        return found

    async def _draw(self) -> str:
        committee = (await self._client.committee(self._task)).committee
        if set(committee) - {did_of(auditor) for auditor in self._auditors} or len(committee) != len(self._auditors):
            raise _Broken(
                f"{counted(len(committee), 'member')}, others among them", "update the broker: it knows no cohorts"
            )
        return f"{counted(len(committee), 'member')}, drawn from the canary's own list"

    async def _members_only(self) -> str:
        return await self._refused(self._client, "AUDIT_PASS")

    async def _client_only(self) -> str:
        return await self._refused(self._auditors[0], "ACCEPTED")

    async def _refused(self, by: AsyncClient, kind: str) -> str:
        try:
            await by.attest(self._task, kind, score=0.9, confidence=0.95)
        except Refused as refused:
            if refused.status == httpx.codes.FORBIDDEN:
                return f"refused: {refused.code}"
            raise
        raise _Broken("it was taken", "update the broker, and report it: this is a bug")

    async def _signatures(self) -> str:
        """What was signed and then changed on the way."""
        member = self._auditors[0]
        assert member.identity is not None
        body = member.identity.attest(self._task, "AUDIT_PASS", score=0.9, confidence=0.95)
        changed = msgspec.to_builtins(body) | {"score": 0.8}
        path = f"{self._way.url}/api/receipts/{self._task}/attestations"
        answer = await self._http.post(path, json=changed, headers={"X-AINP-DID": did_of(member)})
        if answer.is_success:
            raise _Broken("what was changed after it was signed was taken", "update the broker, and report it")
        return f"what was changed after it was signed is refused: {answer.json().get('error')}"

    async def _attest(self) -> str:
        await self._client.attest(self._task, "ACCEPTED", score=0.95, confidence=0.98)
        for auditor in self._auditors:
            await auditor.attest(self._task, "AUDIT_PASS", score=0.9, confidence=0.95)
        return f"the client's and {len(self._auditors)} of the committee were taken"

    async def _finalized(self) -> str:
        receipt = await self._client.receipt(self._task)
        if receipt.status == "pending" and not self._settings.pou_finalizer_enabled:
            found = (await self._client.finalize(self._task)).status
            raise _Broken(f"{found} by hand alone", "set POU_FINALIZER_ENABLED=true")
        if receipt.status != "finalized" or receipt.judged_at is None:
            raise _Broken(f"it is {receipt.status}", "look for `[PoU Finalizer]` lines in the broker's log")
        problems = verify_receipt(await self._client.published(self._task))
        if problems:
            raise _Broken("; ".join(problems), "run `ainp fsck`")
        return "finalized by the voice that completed the quorum; hashes, signatures and draw verify"

    async def _reputation(self) -> str:
        now = await self._worker.reputation()
        assert self._before is not None
        if now.updated_at == self._before.updated_at or now.q == self._before.q:
            raise _Broken("it has not moved", "run `ainp fsck`")
        return f"quality {self._before.q} → {now.q}, reliability {self._before.r} → {now.r}"

    async def _notices(self) -> str:
        for name, heard in self._heard.items():
            with suppress(TimeoutError):
                async with asyncio.timeout(_NOTICE_S):
                    while "settled" not in heard.names and not heard.problem:
                        heard.news.clear()
                        await heard.news.wait()
            if "settled" not in heard.names:
                why = heard.problem or f"not told within {_NOTICE_S:.0f} s"
                raise _Broken(f"the {name}: {why}", "events are published by JOBS_ENABLED=true or `ainp work`")
        return (
            f"the client heard {len(self._heard['client'].names)} events, the worker {len(self._heard['worker'].names)}"
        )


def did_of(agent: AsyncClient) -> str:
    """Who an agent is."""
    assert agent.identity is not None
    return agent.identity.did


async def fly(way: Way, settings: Settings, database: Database) -> AsyncGenerator[Line, None]:
    """Open a cohort, do the task, close the cohort; a line for each step as it ends."""
    policy, epochs = settings.judging, Epochs(settings.eligibility, committee_size=settings.pou_m)
    async with way.http() as http:
        canary = Canary(way, http, settings)
        try:
            await cohorts.close_overdue(database, policy=policy, epochs=epochs)
            number = await cohorts.begin(database, [parse_did(did) for did in canary.dids], lent=canary.lent)
        except Exception as error:  # noqa: BLE001 - whatever it was, it is a line, and all others are shown
            first, *others = STEPS
            yield first.wrong(f"no canary can be made: {reason_of(error)}", _REPORT)
            for about in others:
                yield about.unknown(f"not tried, as {first.name!r} failed")
            return
        closed: Lent | None = None
        why = "the database went away"
        try:
            async with aclosing(_steps(canary)) as lines:
                async for line in lines:
                    yield line
        finally:
            try:
                closed = await asyncio.shield(cohorts.close(database, number, policy=policy, epochs=epochs))
            except Exception as error:  # noqa: BLE001 - as above, and a job of the broker does it later
                why = reason_of(error)
        if closed is None:
            yield RETURNED.wrong(why, "a job of the broker closes it within minutes: look again")
        else:
            found = f"{closed.returned} of {closed.lent} atomic units"
            yield RETURNED.must(closed.returned == closed.lent, found, "run `ainp fsck`, which proves where money is")


async def _steps(canary: Canary) -> AsyncGenerator[Line, None]:
    ears = asyncio.create_task(canary.listen())
    broken = ""
    deadline = asyncio.get_running_loop().time() + _ALL_S
    try:
        for about, step in canary.steps():
            if broken:
                yield about.unknown(f"not tried, as {broken!r} failed")
                continue
            line = await _try(about, step, deadline)
            broken = about.name if line.fix else ""
            yield line
    finally:
        ears.cancel()
        await asyncio.gather(ears, return_exceptions=True)


async def _try(about: About, step: Callable[[], Awaitable[str]], deadline: float) -> Line:
    try:
        async with asyncio.timeout_at(deadline):
            return about.right(await step())
    except _Broken as broken:
        return about.wrong(str(broken), broken.fix)
    except TimeoutError:
        return about.wrong(f"no answer within {_ALL_S:.0f} s", "look at the broker's log and at PostgreSQL")
    except (AinpError, httpx.HTTPError) as error:
        return about.wrong(
            str(error) or type(error).__name__, "the message says what was expected; see the broker's log"
        )
    except Exception as error:  # noqa: BLE001 - a bug of this step must not hide the lines after it
        return about.wrong(f"{type(error).__name__}: {error}", _REPORT)
