"""Random operations on a real database, some of them killed half way, against the rules."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import AbstractContextManager, ExitStack
from datetime import timedelta
from typing import Any, TypeVar
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from ainp.broker import Broker, make_broker
from ainp.core.attestation import Attestation
from ainp.core.did import AgentDid
from ainp.core.errors import BrokerError, DatabaseUnavailable
from ainp.core.ids import NegotiationId, TaskId
from ainp.core.negotiation import Claim, Delivery, Opening
from ainp.operations import accounts, agents, negotiations, receipts, settlements
from ainp.store.db import Database
from ainp.worker import finalizer, upkeep
from model.rules import MAX_ROUNDS, Deal, Model
from support.api import a_configuration
from support.books import wrong
from support.builders import agents as some_agents
from support.clock import let_deadlines_come
from support.fragile import Death, Fragile
from support.said import what_is_logged

T = TypeVar("T")

AGENTS = some_agents(12)
FOUNDERS = 8
MONTH_MS = 30 * 24 * 3_600_000

# Most operations live; the others die at one of their first statements, before or after it is carried out.
deaths = st.one_of(st.none(), st.none(), st.builds(Death, statement=st.integers(0, 7), after=st.booleans()))
people = st.integers(0, len(AGENTS) - 1).map(AGENTS.__getitem__)
places = st.integers(0, 7)
prices = st.sampled_from([0, 1, 7, 300, 900])


class BrokerMachine(RuleBasedStateMachine):
    """Each rule is an operation; after each, what is stored is what the model says."""

    deals = Bundle("deals")
    tasks = Bundle("tasks")

    def __init__(self, a_database: Callable[[], AbstractContextManager[str]]) -> None:
        super().__init__()
        self._open = ExitStack()
        self._open.enter_context(what_is_logged())
        url = self._open.enter_context(a_database())
        self._loop = self._open.enter_context(asyncio.Runner())
        self._database = Database(url, size=4)
        self._run(self._database.open())
        self._open.callback(lambda: self._run(self._database.close()))
        self._model = Model()
        self._broker = self._a_process(self._database)

    def teardown(self) -> None:
        self._open.close()

    @initialize()
    def found(self) -> None:
        for did in AGENTS[:FOUNDERS]:
            self.register(did, None)

    @rule(did=people, death=deaths)
    def register(self, did: AgentDid, death: Death | None) -> None:
        async def call(broker: Broker) -> object:
            said = agents.Description((), ttl_ms=MONTH_MS)
            return await agents.register(broker.database, did, said, policy=broker.grant, discovery=broker.discovery)

        self._do(call, death, legal=True, apply=lambda: self._model.register(did))

    @rule(target=deals, client=people, agent=people, price=prices, death=deaths)
    def initiate(self, client: AgentDid, agent: AgentDid, price: int, death: Death | None) -> str | None:
        return self._initiate(client, agent, price, death)

    @rule(name=deals, place=places, price=prices, death=deaths)
    def propose(self, name: str | None, place: int, price: int, death: Death | None) -> None:
        deal, by = self._deal(name, place)

        async def call(broker: Broker, id_: NegotiationId) -> object:
            return await negotiations.propose(broker.database, id_, {"price": price}, by=by, min_fee_bp=1000)

        legal = self._model.may_propose(deal, by)
        self._on(name, call, death, legal=legal, apply=lambda: self._model.propose(deal, by, price))

    @rule(name=deals, place=places, death=deaths)
    def accept(self, name: str | None, place: int, death: Death | None) -> None:
        deal, by = self._deal(name, place)
        self._accept(name, deal, by, death)

    @rule(name=deals, place=places, death=deaths)
    def reject(self, name: str | None, place: int, death: Death | None) -> None:
        deal, by = self._deal(name, place)

        async def call(broker: Broker, id_: NegotiationId) -> object:
            return await negotiations.reject(broker.database, id_, by=by, reason=None)

        legal = self._model.may_close(deal, by, "reject")
        self._on(name, call, death, legal=legal, apply=lambda: self._model.close(deal, "rejected"))

    @rule(name=deals, place=places, death=deaths)
    def cancel(self, name: str | None, place: int, death: Death | None) -> None:
        deal, by = self._deal(name, place)

        async def call(broker: Broker, id_: NegotiationId) -> object:
            return await negotiations.cancel(broker.database, id_, by=by, reason=None)

        legal = self._model.may_close(deal, by, "cancel")
        self._on(name, call, death, legal=legal, apply=lambda: self._model.close(deal, "cancelled"))

    @rule(name=deals, place=places, death=deaths)
    def deliver(self, name: str | None, place: int, death: Death | None) -> None:
        deal, by = self._deal(name, place)

        async def call(broker: Broker, id_: NegotiationId) -> object:
            return await negotiations.deliver(broker.database, id_, Delivery(None, None), by=by)

        def apply() -> None:
            deal.delivered = True

        self._on(name, call, death, legal=self._model.may_deliver(deal, by), apply=apply)

    @rule(target=tasks, name=deals, place=places, death=deaths)
    def settle(self, name: str | None, place: int, death: Death | None) -> str | None:
        deal, by = self._deal(name, place)
        return self._settle(name, deal, by, death)

    @rule(target=tasks, client=people, agent=people, price=prices)
    def trade(self, client: AgentDid, agent: AgentDid, price: int) -> str | None:
        """The straight way to a receipt, so that there are enough of them."""
        name = self._initiate(client, agent, price, None)
        if name is None:
            return None
        self._accept(name, self._model.deals[name], agent, None)
        return self._settle(name, self._model.deals[name], client, None)

    @rule(name=tasks, place=places, passes=st.booleans(), death=deaths)
    def attest(self, name: str | None, place: int, passes: bool, death: Death | None) -> None:  # noqa: FBT001 - drawn
        task = self._model.tasks.get(name or "")
        if name is None or task is None:
            return
        by = AgentDid([*task.committee, task.client, task.agent, *AGENTS][place])
        kind = ("REJECTED", "ACCEPTED") if by == task.client else ("AUDIT_FAIL", "AUDIT_PASS")
        said = Attestation(TaskId(UUID(name)), by, kind[passes])

        async def call(broker: Broker) -> object:
            judging, epochs = broker.terms.judging, broker.epochs
            return await receipts.attest(broker.database, said, signed=None, policy=judging, epochs=epochs)

        legal = self._model.may_attest(task, by)
        self._do(call, death, legal=legal, apply=lambda: self._model.attest(name, by, passes=passes))

    @rule(name=tasks, death=deaths)
    def finalize(self, name: str | None, death: Death | None) -> None:
        if name is None:
            return

        async def call(broker: Broker) -> object:
            judging, epochs = broker.terms.judging, broker.epochs
            return await receipts.finalize(broker.database, TaskId(UUID(name)), policy=judging, epochs=epochs)

        # The voice that decides has decided: there is never anything left to do by hand.
        self._do(call, death, legal=self._model.tasks[name].status != "pending", apply=lambda: None)

    @rule(minutes=st.sampled_from([25, 61]))
    def let_time_pass(self, minutes: int) -> None:
        self._run(let_deadlines_come(self._database, timedelta(minutes=minutes)))
        self._model.clock += minutes

    @rule(death=deaths)
    def run_the_expiry(self, death: Death | None) -> None:
        self._do(upkeep.expire, death, legal=True, apply=self._model.expire)

    @rule(death=deaths)
    def run_the_finalizer(self, death: Death | None) -> None:
        self._do(finalizer.run, death, legal=True, apply=self._model.finalize)

    @rule(death=deaths)
    def roll_up(self, death: Death | None) -> None:
        async def call(broker: Broker) -> object:
            return await accounts.roll_up(broker.database)

        self._do(call, death, legal=True, apply=lambda: None)

    @invariant()
    def the_books_are_in_order(self) -> None:
        assert self._run(wrong(self._database)) == []

    @invariant()
    def everybody_has_what_the_model_says(self) -> None:
        rows = self._fetch(
            "SELECT account, balance + coalesce((SELECT sum(amount) FROM ledger_pending p"
            " WHERE p.account = a.account), 0)::bigint AS held FROM accounts a"
        )
        stored = {row["account"]: row["held"] for row in rows if row["held"]}
        assert stored == {account: held for account, held in self._model.held.items() if held}

    @invariant()
    def everything_stands_where_the_model_says(self) -> None:
        rows = self._fetch("SELECT id, state, task_id FROM negotiations")
        deals = {str(row["id"]): (row["state"], row["task_id"] and str(row["task_id"])) for row in rows}
        assert deals == {name: (deal.state, deal.task) for name, deal in self._model.deals.items()}
        rows = self._fetch("SELECT id, status, extensions, judged_at, committee FROM task_receipts")
        assert {str(row["id"]) for row in rows} == set(self._model.tasks)
        for row in rows:
            task = self._model.tasks[str(row["id"])]
            assert (row["status"], row["extensions"]) == (task.status, task.extensions)
            assert (row["judged_at"] is not None) == task.judged
            # Who is seated is the draw's business, tested elsewhere; who sat stays.
            assert row["committee"][: len(task.committee)] == task.committee
            assert len(row["committee"]) == len(task.committee) or task.extensions
            task.committee = row["committee"]

    def _initiate(self, client: AgentDid, agent: AgentDid, price: int, death: Death | None) -> str | None:
        opening = Opening(
            intent_id="translate", initiator=client, responder=agent, proposal={"price": price}, max_rounds=MAX_ROUNDS
        )
        known = set(self._model.deals)

        async def call(broker: Broker) -> object:
            return await negotiations.initiate(broker.database, opening, min_fee_bp=1000)

        def apply() -> None:
            for row in self._fetch("SELECT id FROM negotiations"):
                if str(row["id"]) not in known:
                    expires = self._model.clock + 60
                    self._model.deals[str(row["id"])] = Deal(client, agent, price, client, expires)

        self._do(call, death, legal=client != agent, apply=apply)
        return next(iter(set(self._model.deals) - known), None)

    def _accept(self, name: str | None, deal: Deal, by: AgentDid, death: Death | None) -> None:
        async def call(broker: Broker, id_: NegotiationId) -> object:
            return await negotiations.accept(broker.database, id_, by=by, claim=Claim())

        legal = self._model.may_accept(deal, by)
        self._on(name, call, death, legal=legal, apply=lambda: self._model.accept(deal))

    def _settle(self, name: str | None, deal: Deal, by: AgentDid, death: Death | None) -> str | None:
        async def call(broker: Broker, id_: NegotiationId) -> object:
            return await settlements.settle(broker.database, id_, by=by, terms=broker.terms)

        def apply() -> None:
            if deal.state != "settled":
                rows = self._fetch("SELECT id, committee FROM task_receipts WHERE negotiation_id = $1", UUID(name))
                self._model.settle(deal, by, str(rows[0]["id"]), rows[0]["committee"])

        self._on(name, call, death, legal=self._model.may_settle(deal, by), apply=apply)
        return deal.task

    def _deal(self, name: str | None, place: int) -> tuple[Deal, AgentDid]:
        """A negotiation and one of its parties, or seldom a stranger."""
        deal = self._model.deals.get(name or "", Deal("", "", 0, "", 0, state="none"))
        stranger = next(did for did in AGENTS if did not in deal.parties)
        return deal, AgentDid((*deal.parties * 3, stranger, stranger)[place])

    def _on(
        self,
        name: str | None,
        call: Callable[[Broker, NegotiationId], Coroutine[Any, Any, object]],
        death: Death | None,
        *,
        legal: bool,
        apply: Callable[[], None],
    ) -> None:
        if name is not None:
            id_ = NegotiationId(UUID(name))
            self._do(lambda broker: call(broker, id_), death, legal=legal, apply=apply)

    def _do(
        self,
        call: Callable[[Broker], Coroutine[Any, Any, object]],
        death: Death | None,
        *,
        legal: bool,
        apply: Callable[[], None],
    ) -> None:
        """Carry it out; where it died, all of it happened or nothing."""
        broker = self._broker if death is None else self._a_process(Fragile(self._database, death))
        refusal: BrokerError | None = None
        before = self._fetch(_FINGERPRINT)[0] if death is not None else None
        try:
            self._run(call(broker))
        except DatabaseUnavailable:
            assert death is not None
            assert death.happened
            self._broker = self._a_process(self._database)
            happened = self._fetch(_FINGERPRINT)[0] != before
        except BrokerError as error:
            refusal, happened = error, False
        else:
            happened = True
        assert legal or not happened, "the rules forbid it"
        assert refusal is None or not legal, f"the rules allow it: {refusal}"
        if happened:
            apply()

    def _a_process(self, database: Database) -> Broker:
        return make_broker(a_configuration(), database)

    def _run(self, call: Coroutine[Any, Any, T]) -> T:
        return self._loop.run(call)

    def _fetch(self, sql: str, *arguments: object) -> list[Any]:
        found: list[Any] = self._run(self._database.fetch(sql, *arguments))
        return found


_FINGERPRINT = """
SELECT (SELECT count(*) FROM agents), (SELECT count(*) FROM ledger_entries), (SELECT count(*) FROM task_attestations),
       (SELECT sum(version) FROM negotiations), (SELECT sum(version) FROM task_receipts)
"""
