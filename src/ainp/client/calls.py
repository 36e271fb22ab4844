"""One agent's requests to a broker, typed as they go over the wire."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote

import httpx
import msgspec
from msgspec import Struct

from ainp.client.identity import Identity
from ainp.wire.agents import AddressBody, CapabilityBody, RegisterBody, RegisteredReply
from ainp.wire.credits import BalanceReply, MovementReply, TransactionsReply
from ainp.wire.negotiations import (
    AcceptBody,
    DeliverBody,
    InitiateBody,
    NegotiationReply,
    ProposeBody,
    SettleBody,
    SettledReply,
)
from ainp.wire.receipts import (
    AttestBody,
    AttestedReply,
    CommitteeReply,
    EpochReply,
    ReceiptWithAttestations,
)
from ainp.wire.reputation import ChangeReply, HistoryReply, ReputationReply

Reply = TypeVar("Reply")
Proposal = Mapping[str, Any]


class Refused(Exception):
    """The broker has refused; *code* names why, *status* is the answer's."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code


@dataclass(frozen=True, slots=True)
class Client:
    """What an agent asks of a broker; *http* has the broker's address as its base, and may be shared by agents."""

    http: httpx.AsyncClient
    identity: Identity

    async def register(self, *capabilities: str) -> RegisteredReply:
        """Register, or be registered for longer."""
        address = AddressBody(self.identity.did, [CapabilityBody(said) for said in capabilities])
        return await self._post("/api/agents/register", RegisterBody(address=address), RegisteredReply)

    async def offer(self, intent_id: str, responder: str, proposal: Proposal) -> NegotiationReply:
        """Open a negotiation with a first proposal, signed."""
        signed = self.identity.sign_terms(proposal)
        body = InitiateBody(intent_id, responder, dict(proposal), terms_signature=signed)
        return await self._post("/api/negotiations", body, NegotiationReply)

    async def propose(self, negotiation_id: str, proposal: Proposal) -> NegotiationReply:
        """Answer with another proposal, signed."""
        body = ProposeBody(dict(proposal), terms_signature=self.identity.sign_terms(proposal))
        return await self._move(negotiation_id, "propose", body)

    async def accept(self, negotiation: NegotiationReply) -> NegotiationReply:
        """Accept the proposal as it was seen, and no other, and countersign its terms."""
        signed = self.identity.sign_terms(negotiation.current_proposal)
        body = AcceptBody(terms_hash=negotiation.terms_hash, terms_signature=signed)
        return await self._move(negotiation.id, "accept", body)

    async def deliver(self, negotiation_id: str, outputs_ref: str) -> NegotiationReply:
        """Say where the finished work is."""
        return await self._move(negotiation_id, "deliver", DeliverBody(outputs_ref=outputs_ref))

    async def settle(self, negotiation_id: str) -> SettledReply:
        """Pay out what was agreed; the answer has the receipt."""
        return await self._post(f"/api/negotiations/{negotiation_id}/settle", SettleBody(), SettledReply)

    async def attest(
        self, task_id: str, kind: str, *, score: float | None = None, confidence: float | None = None
    ) -> AttestedReply:
        """Say something about a receipt, signed."""
        body: AttestBody = self.identity.attest(task_id, kind, score=score, confidence=confidence)
        return await self._post(f"/api/receipts/{task_id}/attestations", body, AttestedReply)

    async def receipt(self, task_id: str) -> ReceiptWithAttestations:
        """A receipt with the first page of what was said."""
        return await self._get(f"/api/receipts/{task_id}", ReceiptWithAttestations)

    async def statement(self, task_id: str) -> bytes:
        """The bytes of a receipt's statement, as they are hashed."""
        return await self._ask("GET", f"/api/receipts/{task_id}/statement")

    async def committee(self, task_id: str) -> CommitteeReply:
        """A receipt's committee and everything its draw can be repeated from."""
        return await self._get(f"/api/receipts/{task_id}/committee", CommitteeReply)

    async def epoch(self, number: int) -> EpochReply:
        """A published list of candidates."""
        return await self._get(f"/api/committee-epochs/{number}", EpochReply)

    async def reputation(self) -> ReputationReply:
        """The agent's own reputation."""
        return await self._get(f"/api/reputation/{self._own}", ReputationReply)

    async def history(self) -> Sequence[ChangeReply]:
        """The newest changes of the agent's reputation, newest first."""
        return (await self._get(f"/api/reputation/{self._own}/history", HistoryReply)).changes

    async def balance(self) -> BalanceReply:
        """The agent's money."""
        return await self._get(f"/api/credits/{self._own}", BalanceReply)

    async def transactions(self) -> Sequence[MovementReply]:
        """The newest entries of the agent's accounts, newest first."""
        return (await self._get(f"/api/credits/{self._own}/transactions", TransactionsReply)).transactions

    @property
    def _own(self) -> str:
        return quote(self.identity.did, safe="")

    async def _move(self, negotiation_id: str, move: str, body: Struct) -> NegotiationReply:
        return await self._post(f"/api/negotiations/{negotiation_id}/{move}", body, NegotiationReply)

    async def _post(self, path: str, body: Struct, reply: type[Reply]) -> Reply:
        return msgspec.json.decode(await self._ask("POST", path, msgspec.json.encode(body)), type=reply)

    async def _get(self, path: str, reply: type[Reply]) -> Reply:
        return msgspec.json.decode(await self._ask("GET", path), type=reply)

    async def _ask(self, method: str, path: str, body: bytes | None = None) -> bytes:
        headers = {"X-AINP-DID": self.identity.did, "Content-Type": "application/json"}
        answer = await self.http.request(method, path, content=body, headers=headers)
        if answer.is_success:
            return answer.content
        try:
            said = msgspec.json.decode(answer.content, type=dict[str, Any])
        except msgspec.MsgspecError:  # not the broker's words, something's between
            said = {}
        raise Refused(answer.status_code, str(said.get("error")), str(said.get("message", answer.text[:200])))
