"""The broker as its rules say it, in memory: what is legal, who has what, where everything stands. Minutes are time."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

GRANT, CREDIT, HOUR = 1_000_000, 1_000, 60
QUORUM, EXTENSIONS, MAX_ROUNDS = 3, 2, 4
OPEN = ("initiated", "proposed", "counter_proposed")


@dataclass
class Deal:
    client: str
    agent: str
    price: int
    proposer: str
    expires: int
    rounds: int = 1
    state: str = "initiated"
    settle_by: int = 0
    delivered: bool = False
    closed_by: str | None = None
    task: str | None = None

    @property
    def parties(self) -> tuple[str, str]:
        return self.client, self.agent


@dataclass
class Task:
    client: str
    agent: str
    committee: list[str]
    reward: int
    window_ends: int
    status: str = "pending"
    judged: bool = False
    extensions: int = 0
    voices: dict[str, bool] = field(default_factory=dict)

    @property
    def passed(self) -> int:
        return sum(self.voices.get(member, False) for member in self.committee)

    @property
    def failed(self) -> int:
        return sum(not self.voices.get(member, True) for member in self.committee)


@dataclass
class Model:
    held: Counter[str] = field(default_factory=Counter)
    deals: dict[str, Deal] = field(default_factory=dict)
    tasks: dict[str, Task] = field(default_factory=dict)
    registered: set[str] = field(default_factory=set)
    clock: int = 0

    def move(self, source: str, target: str, amount: int) -> None:
        self.held[source] -= amount
        self.held[target] += amount

    def register(self, did: str) -> None:
        if did not in self.registered:
            self.registered.add(did)
            self.move("mint", f"available:{did}", GRANT)

    def live(self, deal: Deal) -> bool:
        return deal.state in OPEN and self.clock < deal.expires

    def overdue(self, deal: Deal) -> bool:
        if deal.state in OPEN:
            return self.clock >= deal.expires
        return deal.state == "accepted" and not deal.delivered and self.clock >= deal.settle_by

    def may_propose(self, deal: Deal, by: str) -> bool:
        return by in deal.parties and self.live(deal) and by != deal.proposer and deal.rounds < MAX_ROUNDS

    def propose(self, deal: Deal, by: str, price: int) -> None:
        state = "proposed" if deal.state == "initiated" else "counter_proposed"
        deal.state, deal.proposer, deal.price, deal.rounds = state, by, price, deal.rounds + 1

    def may_accept(self, deal: Deal, by: str) -> bool:
        affordable = self.held[f"available:{deal.client}"] >= deal.price * CREDIT
        turn = by in deal.parties and by != deal.proposer
        return turn and self.live(deal) and affordable and deal.agent in self.registered

    def accept(self, deal: Deal) -> None:
        self.move(f"available:{deal.client}", f"reserved:{deal.client}", deal.price * CREDIT)
        deal.state, deal.settle_by = "accepted", self.clock + HOUR

    def may_close(self, deal: Deal, by: str, move: str) -> bool:
        if deal.state == "accepted":
            return move == "cancel" and by == deal.agent
        return by in deal.parties and self.live(deal)

    def close(self, deal: Deal, state: str) -> None:
        if deal.state == "accepted":
            self.move(f"reserved:{deal.client}", f"available:{deal.client}", deal.price * CREDIT)
        deal.state = state

    def may_deliver(self, deal: Deal, by: str) -> bool:
        return by == deal.agent and deal.state == "accepted" and not deal.delivered and not self.overdue(deal)

    def may_settle(self, deal: Deal, by: str) -> bool:
        patient = deal.delivered and self.clock >= deal.settle_by + HOUR
        entitled = by == deal.client or (by == deal.agent and patient)
        if deal.state == "settled":
            return entitled or by == deal.closed_by
        return entitled and deal.state == "accepted" and not self.overdue(deal)

    def settle(self, deal: Deal, by: str, task: str, committee: Sequence[str]) -> None:
        tenth, reserved = deal.price * CREDIT // 10, f"reserved:{deal.client}"
        self.move(reserved, f"available:{deal.agent}", 7 * tenth)
        for account in ("fees", "pool", f"reward:{task}"):
            self.move(reserved, account, tenth)
        deal.state, deal.closed_by, deal.task = "settled", by, task
        self.tasks[task] = Task(deal.client, deal.agent, list(committee), tenth, self.clock + HOUR)

    def may_attest(self, task: Task, by: str) -> bool:
        heard = not task.judged and (task.status == "pending" or self.clock < task.window_ends)
        return by in (*task.committee, task.client) and by not in task.voices and heard

    def attest(self, name: str, by: str, *, passes: bool) -> None:
        self.tasks[name].voices[by] = passes
        self.review(name)

    def review(self, name: str) -> None:
        task = self.tasks[name]
        over, silent = self.clock >= task.window_ends, len(task.committee) - task.passed - task.failed
        if task.status == "pending" and task.passed >= QUORUM:
            task.status = "finalized"
        elif task.status == "pending" and task.failed and (task.failed >= QUORUM or task.passed + silent < QUORUM):
            task.status = "failed"
        elif task.status == "pending" and over and task.extensions < EXTENSIONS:
            task.extensions, task.window_ends = task.extensions + 1, self.clock + HOUR
            return
        elif task.status == "pending" and over:
            task.status = "failed"
        everyone = {*task.committee, task.client} <= task.voices.keys()
        if task.status != "pending" and (over or everyone) and not task.judged:
            self.judge(name)

    def judge(self, name: str) -> None:
        task = self.tasks[name]
        heard = [member for member in task.committee if member in task.voices]
        for member in heard:
            self.move(f"reward:{name}", f"available:{member}", task.reward // len(heard))
        self.move(f"reward:{name}", "pool", self.held[f"reward:{name}"])
        task.judged = True

    def expire(self) -> None:
        for deal in filter(self.overdue, list(self.deals.values())):
            self.close(deal, "expired")

    def finalize(self) -> None:
        for name, task in self.tasks.items():
            if not task.judged and self.clock >= task.window_ends:
                self.review(name)
