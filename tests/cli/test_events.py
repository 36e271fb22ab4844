"""Events out of a real `ainp serve`, with real sockets, while its PostgreSQL is killed."""

import asyncio
import os
import signal

import httpx

from support.api import Api
from support.listening import a_whole_job, listening
from support.serving import a_data_dir, postmaster_of, serving


async def test_events_go_on_over_an_open_socket_after_the_database_was_killed() -> None:
    with a_data_dir() as data_dir, serving(data_dir) as served:
        async with httpx.AsyncClient(base_url=served.url, timeout=30) as http:
            api = Api(None, http)  # type: ignore[arg-type]  # another process is the broker
            client, agent, *_ = await api.register(7)
            async with listening(served.port, client) as listener:
                await a_whole_job(api, client, agent)
                await listener.until(13)

                os.kill(postmaster_of(data_dir), signal.SIGKILL)
                await asyncio.to_thread(served.wait_for, "Embedded PostgreSQL is gone")
                async with asyncio.timeout(60):
                    while (await http.get("/health/ready")).status_code != 200:  # noqa: ASYNC110 - it tells nobody
                        await asyncio.sleep(0.05)
                await a_whole_job(api, client, agent)
                await listener.until(26)

            async with listening(served.port, client, since=0) as again:
                assert await again.until(26) == listener.told
        assert listener.numbers == list(range(1, 27))
        assert served.end() == 0
        assert "Traceback" not in served.log.read_text()
