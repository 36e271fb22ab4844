"""Limits of a whole `ainp serve`: its processes count together, and a Redis that refuses it does not stop it."""

import os
import signal
from pathlib import Path

import httpx

from support.redis import a_redis
from support.serving import Served, serving

LIMIT = 30


def test_processes_count_together_though_redis_knows_another_password(tmp_path: Path, database_url: str) -> None:
    with (
        a_redis("--requirepass", "right") as redis,
        serving(
            tmp_path / "data",
            *("--workers", "2"),
            DATABASE_URL=database_url,
            JOBS_ENABLED="false",
            POOL_SIZE="2",
            RATE_LIMIT_ENABLED="true",
            RATE_LIMIT_MAX=str(LIMIT),
            RATE_LIMIT_WINDOW_MS="86400000",
            RATE_LIMIT_ADDRESS_FACTOR="1",
            REDIS_URL=redis.url_for(":s3cret@"),
        ) as broker,
    ):
        broker.wait_for("AINP Broker started")
        answers = [*_ask(broker, of="serve-1"), *_ask(broker, of="serve-2")]

        assert [answer.status_code for answer in answers] == [200] * LIMIT + [429] * LIMIT
        assert {answer.headers["x-ratelimit-degraded"] for answer in answers} == {"true"}
        health = broker.get("/health")
        assert (health.status_code, health.json()["connections"]["redis"]) == (200, False)
        broker.wait_for("[RateLimit] Redis unavailable")
        said = [line for line in broker.lines if line["message"].startswith("[RateLimit]")]
        assert {line["process"] for line in said} <= {"serve-1", "serve-2"}
        assert said[0]["error"].startswith("invalid username-password pair")
        assert "s3cret" not in broker.log.read_text()


def _ask(broker: Served, *, of: str) -> list[httpx.Response]:
    """Ask as often as the limit allows, while no other process can answer."""
    others = [pid for name, pid in broker.children.items() if name != of]
    for pid in others:
        os.kill(pid, signal.SIGSTOP)
    with httpx.Client(headers={"Connection": "close"}, timeout=30) as client:
        answers = [client.get(f"{broker.url}/api/receipts") for _ in range(LIMIT)]
    for pid in others:
        os.kill(pid, signal.SIGCONT)
    return answers
