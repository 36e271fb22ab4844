"""The scrape: every metric of the table is in it, a whole job moves what it must move, and nobody else may look."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from ainp.http.routes import ROUTES
from ainp.telemetry.metrics import TABLE
from ainp.worker.jobs import scheduled
from support.api import Api, an_api
from support.builders import an_agent
from support.listening import Telling, a_telling_broker, a_whole_job, listening
from support.migrating import connected
from support.races import wait_until
from support.scraped import Scrape, read
from support.ticks import a_tick
from support.world import World

OPENMETRICS = {"accept": "application/openmetrics-text;version=1.0.0"}
SETTLE, HEALTH = "/api/negotiations/{id}/settle", "/health"


async def scrape(api: Api) -> Scrape:
    response = await api.client.get("/metrics")
    assert response.status_code == 200, response.text
    assert response.headers["content-type"].startswith("text/plain; version=")
    return read(response.text)


@pytest.fixture(scope="module")
async def broker(module_database_url: str, anyio_backend: str) -> AsyncIterator[Telling]:
    async with a_telling_broker(module_database_url) as broker:
        yield broker


async def test_a_whole_job_moves_what_it_must_move(broker: Telling) -> None:
    api, before = broker.api, await scrape(broker.api)
    client, agent, *_ = await api.register(8, "metric")
    async with listening(broker.port, client) as told:
        await a_whole_job(api, client, agent)
        await told.until(13)
        during = await scrape(api)
    await api.call("POST", "/api/agents/register", {}, status=400)
    opened = await api.initiate(client, agent)
    for status in (200, 409):
        await api.call("POST", f"/api/negotiations/{opened['id']}/reject", {}, by=agent, status=status)
    for _ in range(2):
        await api.call("POST", "/api/negotiations", {}, status=400, headers={"Idempotency-Key": "twice"})
        body = {"address": {"did": agent, "capabilities": []}}
        await api.call("POST", "/api/agents/register", body, headers={"Idempotency-Key": "again"})
    for job in scheduled(api.broker):
        assert await a_tick(api.broker.database, job)
    after = await scrape(api)

    assert after.names == {metric.name for metric in TABLE}
    for name, labels, times in MOVED:
        assert after.moved(before, name, **labels) == times, (name, labels)
    assert before.samples["ainp_refusals_total", frozenset({("code", "INTERNAL_ERROR")})] == 0
    assert after.moved(before, "ainp_events_published_total") >= 13
    assert after.moved(before, "ainp_database_statement_items_count") > 0
    assert (during.of("ainp_websocket_connections"), after.of("ainp_websocket_connections")) == (1, 0)
    assert after.of("ainp_http_requests_in_flight") == 1  # the scrape itself
    assert after.of("ainp_database_up") == after.of("ainp_build_info") == 1
    assert after.of("ainp_database_pool_size") == 20
    assert after.of("ainp_ledger_sum_atomic_units") == after.of("ainp_receipts_pending") == 0
    for name in ("ainp_measured_timestamp_seconds", "ainp_process_start_time_seconds"):
        assert abs(after.of(name) - datetime.now(UTC).timestamp()) < 3600
    assert after.of("ainp_job_last_success_timestamp_seconds", name="measurements") > before.of(
        "ainp_process_start_time_seconds"
    )
    assert after.of("ainp_process_resident_memory_bytes", process="serve") > 10_000_000
    assert after.of("ainp_process_cpu_seconds_total", process="serve") > 0


async def test_what_alerts_watch_is_measured(broker: Telling) -> None:
    for job in scheduled(broker.api.broker):
        await a_tick(broker.api.broker.database, job)
    found = await scrape(broker.api)

    for name in ("receipts_stuck", "receipts_overdue", "receipts_without_committee", "receipts_without_reputation"):
        assert found.of(f"ainp_{name}") == 0
    assert found.of("ainp_migrations_missing") == 0
    assert found.of("ainp_job_interval_seconds", name="pou-finalizer") == 60
    assert found.of("ainp_job_last_run_timestamp_seconds", name="pou-finalizer") > 0


NEGOTIATED = {
    "initiated": 2,
    "proposed": 2,
    "accepted": 1,
    "delivered": 1,
    "settled": 1,
    "rejected": 1,
    "cancelled": 0,
    "expired": 0,
}
OBSERVED = {"timeliness": 1, "impact": 1, "reliability": 1, "quality": 1, "truthfulness": 1, "safety": 0}
MOVED: tuple[tuple[str, dict[str, str], int], ...] = (
    ("ainp_http_requests_total", {"method": "POST", "route": SETTLE, "status": "200"}, 1),
    ("ainp_http_request_duration_seconds_count", {"route": SETTLE}, 1),
    ("ainp_http_requests_total", {"route": "/metrics"}, 2),
    ("ainp_refusals_total", {"code": "INVALID_REQUEST"}, 3),
    ("ainp_refusals_total", {"code": "INVALID_STATE"}, 1),
    ("ainp_idempotent_replays_total", {}, 1),
    ("ainp_websocket_frames_sent_total", {}, 13),
    ("ainp_registrations_total", {}, 9),
    *(("ainp_negotiation_events_total", {"event": event}, n) for event, n in NEGOTIATED.items()),
    ("ainp_settled_atomic_units_total", {}, 110_000),
    ("ainp_receipts_created_total", {"committee": "full"}, 1),
    ("ainp_receipts_finalized_total", {}, 1),
    ("ainp_receipts_failed_total", {}, 0),
    ("ainp_receipts_judged_total", {"status": "finalized"}, 1),
    ("ainp_finalization_latency_seconds_count", {}, 1),
    ("ainp_attestations_submitted_total", {"type": "audit_pass"}, 5),
    ("ainp_attestations_submitted_total", {"type": "accepted"}, 1),
    *(("ainp_reputation_updates_total", {"dimension": dimension}, n) for dimension, n in OBSERVED.items()),
    ("ainp_job_runs_total", {"name": "pou-finalizer", "outcome": "succeeded"}, 1),
    ("ainp_job_runs_total", {"outcome": "failed"}, 0),
    ("ainp_job_duration_seconds_count", {"name": "pou-finalizer"}, 1),
)


async def test_what_waits_to_be_published_is_seen_without_a_publisher(database_url: str) -> None:
    async with an_api(database_url) as api:
        assert (await scrape(api)).of("ainp_outbox_oldest_age_seconds") == 0
        client, agent, *_ = await api.register(3)
        await api.initiate(client, agent)
        await api.broker.database.execute("UPDATE outbox SET created_at = now() - interval '90 s'")
        found = await scrape(api)

    assert found.of("ainp_outbox_rows") == 1
    assert 90 <= found.of("ainp_outbox_oldest_age_seconds") < 1000


async def test_what_clients_send_makes_no_new_series(world: World) -> None:
    before = await scrape(world.api)
    for number in range(5):
        await world.send("GET", f"/api/nothing/{number}")
        await world.send("GET", f"/api/receipts/{number}")
        await world.send(f"VERB{number}", "/health")
        await world.send("GET", f"/%ff{number}")
    after = await scrape(world.api)

    assert after.moved(before, "ainp_http_requests_total", route="unmatched", status="404") == 5
    assert after.moved(before, "ainp_http_requests_total", route="unmatched", method="other", status="405") == 5
    assert after.moved(before, "ainp_http_requests_total", route="unmatched", status="400") == 5
    assert after.moved(before, "ainp_http_requests_total", route="/api/receipts/{task_id}", status="404") == 5
    assert after.values_of("route") <= {*(route.path for route in ROUTES), "unmatched", "/docs", "/openapi.json"}
    assert after.values_of("method") <= {"GET", "HEAD", "POST", "PUT", "other"}


async def test_it_is_openmetrics_for_who_asks(world: World) -> None:
    response = await world.api.client.get("/metrics", headers=OPENMETRICS)

    assert response.headers["content-type"].startswith("application/openmetrics-text")
    assert read(response.text, openmetrics=True).names == {metric.name for metric in TABLE}


async def test_with_a_token_the_token_alone_counts(database_url: str) -> None:
    async with an_api(database_url, metrics_token="s3cret", ainp_proxy_secret="between proxy and broker") as api:
        for shown in ("", "Bearer", "Bearer wrong", "Bearer s3cret2", "s3cret", "Bearer é"):
            response = await api.client.get("/metrics", headers=[(b"authorization", shown.encode())] if shown else [])
            assert (response.status_code, response.json()["error"]) == (401, "UNAUTHORIZED"), shown
            assert b"s3cret" not in response.content
        for path in ("/metrics", "/METRICS/"):
            sent = {"authorization": "Bearer s3cret", "host": "broker.example"}
            assert (await api.client.get(path, headers=sent)).status_code == 200
        assert (await api.client.get("/api/receipts")).status_code == 403


async def test_without_a_token_it_is_guarded_as_everything_else(database_url: str) -> None:
    async with an_api(database_url) as api:
        for refused in ({"host": "broker.example"}, {"x-forwarded-for": "10.0.0.1"}, {"origin": "https://example.com"}):
            response = await api.client.get("/metrics", headers=refused)
            assert (response.status_code, response.json()["error"]) == (403, "UNTRUSTED_REQUEST"), refused


async def test_without_a_database_it_still_says_what_it_counted(database_url: str) -> None:
    async with an_api(database_url) as api:
        assert (await scrape(api)).of("ainp_database_up") == 1
        await api.broker.database.close()
        found = await scrape(api)

    assert found.of("ainp_database_up") == 0
    assert ("ainp_outbox_rows", frozenset()) not in found.samples
    assert found.of("ainp_http_requests_total", route="/metrics") >= 1


async def test_without_its_table_the_database_is_up_and_jobs_go_on(database_url: str) -> None:
    async with connected(database_url) as connection, an_api(database_url) as api:
        await connection.execute("DROP TABLE measurements")
        found = await scrape(api)
        before = found.of("ainp_job_runs_total", outcome="succeeded")
        for job in scheduled(api.broker):
            assert await a_tick(api.broker.database, job)
        after = await scrape(api)

    assert found.of("ainp_database_up") == 1
    assert found.of("ainp_migrations_missing") > 0
    assert after.of("ainp_job_runs_total", outcome="succeeded") - before == len(scheduled(api.broker)) - 1
    assert after.moved(found, "ainp_job_runs_total", name="measurements", outcome="failed") == 1


async def test_a_pool_that_is_lent_out_does_not_hold_a_scrape_up(database_url: str) -> None:
    async with an_api(database_url) as api:
        async with asyncio.timeout(8):
            places = [await api.broker.database._borrow() for _ in range(20)]
            waiting = asyncio.create_task(api.client.get(f"/api/agents/{an_agent()}"))
            await wait_until(lambda: api.broker.database.pool is not None and api.broker.database.pool.waiting == 1)
            found = await scrape(api)
        for place in places:
            api.broker.database._give_back(place)
        await waiting

    assert (found.of("ainp_database_pool_in_use"), found.of("ainp_database_pool_waiting")) == (20, 1)
    assert found.of("ainp_database_up") == 0
    assert found.of("ainp_http_requests_in_flight") == 2
