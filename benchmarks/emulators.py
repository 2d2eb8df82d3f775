"""Order posts a second an emulated venue takes, one to a hundred in flight, against a bare aiohttp server's.

The bare server answers the same bytes to the same posts and does nothing; both run in processes of their own, in turn.
A venue is one file in benchmarks/venues (brokers.py tells what it offers); BENCH_VENUES=alpaca takes one.
"""

import asyncio
import json
import signal
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import aiohttp
from brokers import venues

IN_FLIGHT = (1, 10, 100)
POSTS = 3_000
_BARE = """
import asyncio, sys
from aiohttp import web
body = sys.stdin.buffer.readline().strip()
async def answer(request):
    await request.read()
    return web.Response(body=body, content_type="application/json")
async def main():
    runner = web.ServerRunner(web.Server(answer, access_log=None))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print('{"rest": "http://127.0.0.1:%d"}' % runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()
import uvloop
uvloop.run(main())
"""

type Post = tuple[str, dict[str, str], bytes]


async def _measured(posts: list[Post], in_flight: int) -> dict[str, float]:
    """Posts a second, and the median and 99th percentile of one, in microseconds."""
    took: list[float] = []
    left = iter(posts)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def worker() -> None:
            for url, headers, body in left:
                start = time.perf_counter()
                async with session.post(url, headers=headers, data=body) as answer:
                    await answer.read()
                    if answer.status != 200:
                        raise RuntimeError(f"status {answer.status}: {await answer.text()}")
                took.append(time.perf_counter() - start)

        begin = time.perf_counter()
        await asyncio.gather(*(worker() for _ in range(in_flight)))
        seconds = time.perf_counter() - begin
    cuts = statistics.quantiles(took, n=100)
    return {
        "per_s": round(len(posts) / seconds),
        "p50_us": round(statistics.median(took) * 1e6),
        "p99_us": round(cuts[98] * 1e6),
    }


async def _started(*command: str, given: bytes = b"") -> tuple[asyncio.subprocess.Process, dict[str, Any]]:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *command, stdin=pipe, stdout=pipe, stderr=asyncio.subprocess.DEVNULL
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(given + b"\n")
    facts: dict[str, Any] = json.loads(await process.stdout.readline())
    return process, facts


async def _compare(bench: Any, say: Callable[[str], None]) -> dict[str, Any]:
    options = ("--json", "--no-limits", "--speed", "0", "--cash", "9000000000")
    venue, facts = await _started(sys.executable, "-m", "workbench.cli", "emulate", bench.NAME, *options)
    bare, epoch = None, 0

    def posts(rest: str = "") -> list[Post]:
        """Market orders; each has an id of its own."""
        nonlocal epoch
        epoch += 1
        made = [bench.bare(facts, bench.market_order(n + 1, epoch)) for n in range(POSTS)]
        return [(rest or url, headers, body) for url, headers, body in made]

    try:
        [(url, headers, body), *_] = posts()
        async with aiohttp.ClientSession() as session:
            if hasattr(bench, "prepared"):
                await bench.prepared(session, facts)
            async with session.post(url, headers=headers, data=body) as answer:
                sample = await answer.read()
        bare, bare_facts = await _started(sys.executable, "-c", _BARE, given=sample)
        figures: dict[str, Any] = {"posts": POSTS, "answer_bytes": len(sample)}
        for in_flight in IN_FLIGHT:
            limit = await _measured(posts(bare_facts["rest"]), in_flight)
            mine = await _measured(posts(), in_flight)
            ratio = round(mine["per_s"] / limit["per_s"], 3)
            figures[f"in_flight_{in_flight}"] = {"emulator": mine, "bare": limit, "ratio": ratio}
            both = f"{mine['per_s']:,} orders/s, bare server {limit['per_s']:,} (ratio {ratio})"
            say(f"{bench.NAME} {in_flight} in flight: {both}")
        slowest = min(figures[f"in_flight_{n}"]["emulator"]["per_s"] for n in IN_FLIGHT)
        return {**figures, "orders_a_minute": 60 * slowest}
    finally:
        for process in (venue, bare):
            if process is not None:
                process.send_signal(signal.SIGTERM)
                await process.wait()


def run(say: Callable[[str], None]) -> dict[str, Any]:
    """By venue, orders a second by number in flight, the bare server's beside them."""
    return {bench.NAME: asyncio.run(_compare(bench, say)) for bench in venues()}
