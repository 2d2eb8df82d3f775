import asyncio
import json
import re
import shutil
import time
from asyncio.subprocess import Process
from collections.abc import Callable
from pathlib import Path

import pytest
from aiohttp import ClientSession, web
from prometheus_client.parser import text_string_to_metric_families

from workbench.model.effects import Refusal, StrategyHalted, Submit
from workbench.model.snapshot import Snapshot
from workbench.monitor.collectors import CONTENT_TYPE, METRIC_NAMES, MetricsSource, metrics_text
from workbench.monitor.histogram import Histogram
from workbench.monitor.stages import Stages
from workbench.monitor.tally import Tally

type Make = Callable[..., Snapshot]


def source_of(make_snapshot: Make, folder: Path) -> MetricsSource:
    stages, lag, syncs, tally = Stages(), Histogram(), Histogram(), Tally()
    for n in range(1, 101):
        stages.record([10**12 + n * 1_000 * k for k in range(9)])
    lag.record_many([100_000] * 99 + [7_000_000])
    syncs.record_many([200_000, 300_000])
    for code in ("SIZE", "SIZE", "STALE"):
        tally.count(Refusal(0, 1, 0, 1, 1, code, "no"))
    tally.count(StrategyHalted(0, 1, "RATE", "too many"))
    tally.count(Submit(0, 1, 1, 1, 0, 1, 0, 0, 1, 0, 0))
    return MetricsSource(make_snapshot, stages, lag, syncs, tally, folder)


def samples(text: bytes) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def test_the_figures_are_those_of_the_source(make_snapshot: Make, tmp_path: Path) -> None:
    source = source_of(make_snapshot, tmp_path)
    seen = samples(metrics_text(source))
    assert seen["workbench_orders_active", (("state", "working"),)] == 2
    assert seen["workbench_orders_active", (("state", "unknown"),)] == 1
    assert seen["workbench_orders_active", (("state", "new"),)] == 0
    assert seen["workbench_refusals_total", (("code", "SIZE"),)] == 2
    assert seen["workbench_records_total", (("kind", "Submit"),)] == 1
    assert seen["workbench_strategies_halted_total", (("code", "RATE"),)] == 1
    assert seen["workbench_strategies", (("state", "paused"),)] == 1
    assert seen["workbench_session_state", (("state", "running"),)] == 1
    assert seen["workbench_session_state", (("state", "killed"),)] == 0
    assert seen["workbench_equity", ()] == 1_000_250.5
    assert seen["workbench_stage_seconds_count", (("stage", "decide"),)] == 100
    assert seen["workbench_stage_seconds_sum", (("stage", "decide"),)] == pytest.approx(5050e-6)
    assert seen["workbench_stage_seconds_bucket", (("le", "5e-05"), ("stage", "decide"))] == 50
    assert seen["workbench_loop_lag_seconds_bucket", (("le", "0.005"),)] == 99
    assert seen["workbench_loop_lag_seconds_count", ()] == 100
    assert seen["workbench_journal_sync_seconds_sum", ()] == pytest.approx(5e-4)
    assert seen["workbench_journal_synced_seq", ()] == 498
    assert seen["workbench_process_cpu_ratio", ()] == 0.125
    assert 0 < seen["workbench_host_memory_ratio", ()] < 1
    assert 0 < seen["workbench_host_disk_ratio", ()] <= 1


def test_it_is_computed_at_scrape_time(make_snapshot: Make, tmp_path: Path) -> None:
    source = source_of(make_snapshot, tmp_path)
    before = samples(metrics_text(source))["workbench_loop_lag_seconds_count", ()]
    source.loop_lag.record(5)
    assert samples(metrics_text(source))["workbench_loop_lag_seconds_count", ()] == before + 1


def test_every_metric_is_listed_and_documented(make_snapshot: Make, tmp_path: Path) -> None:
    text = metrics_text(source_of(make_snapshot, tmp_path)).decode()
    exported = set(re.findall(r"^# TYPE (\w+) ", text, re.MULTILINE))
    assert exported == set(METRIC_NAMES)
    assert len(re.findall(r"^# HELP \w+ \S+", text, re.MULTILINE)) == len(METRIC_NAMES)


def test_buckets_never_decrease_and_end_at_the_count(make_snapshot: Make, tmp_path: Path) -> None:
    seen = samples(metrics_text(source_of(make_snapshot, tmp_path)))
    buckets = [
        v
        for (name, labels), v in seen.items()
        if name == "workbench_stage_seconds_bucket" and ("stage", "fill") in labels
    ]
    assert buckets == sorted(buckets)
    assert buckets[-1] == seen["workbench_stage_seconds_count", (("stage", "fill"),)]


def test_no_account_no_symbol_no_pid_leaves(make_snapshot: Make, tmp_path: Path) -> None:
    text = metrics_text(source_of(make_snapshot, tmp_path))
    for secret in ("SECRET-ACCT-77", "ZZTOPSYM", "wb-1-1", str(tmp_path)):
        assert secret not in text.decode(), secret
    # Numbers are compared whole: the digits of a measured share may hold any short number.
    seen = samples(text)
    labels = {value for _, pairs in seen for _, value in pairs}
    for number in (4242, 270, 367):
        assert str(number) not in labels, number
        assert number not in seen.values(), number


@pytest.mark.promtool
async def test_a_real_prometheus_scrapes_it(promtool: str, make_snapshot: Make, tmp_path: Path) -> None:
    prometheus = shutil.which("prometheus") or str(Path(promtool).with_name("prometheus"))
    source = source_of(make_snapshot, tmp_path)

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=metrics_text(source), headers={"Content-Type": CONTENT_TYPE})

    app = web.Application()
    app.router.add_get("/metrics", metrics)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    target = runner.addresses[0][1]
    config = {
        "global": {"scrape_interval": "200ms", "scrape_timeout": "200ms"},
        "scrape_configs": [
            {"job_name": "workbench", "static_configs": [{"targets": [f"127.0.0.1:{target}"]}]}
        ],
    }
    (tmp_path / "prometheus.yml").write_text(json.dumps(config), "utf-8")
    log = (tmp_path / "prometheus.log").open("wb")
    server = await asyncio.create_subprocess_exec(
        prometheus,
        f"--config.file={tmp_path / 'prometheus.yml'}",
        f"--storage.tsdb.path={tmp_path / 'tsdb'}",
        "--web.listen-address=127.0.0.1:0",
        stdout=log,
        stderr=log,
    )
    try:
        port = await _listening(tmp_path / "prometheus.log", server)
        found = await _asked(
            f"http://127.0.0.1:{port}", 'workbench_stage_seconds_count{stage="decide"}', server
        )
        assert found == "100"
        found = await _asked(f"http://127.0.0.1:{port}", 'workbench_refusals_total{code="SIZE"}', server)
        assert found == "2"
    finally:
        server.terminate()
        await asyncio.wait_for(server.wait(), 60)
        log.close()
        await runner.cleanup()


async def _listening(log: Path, server: Process) -> int:
    """The port it took, once it says so."""
    deadline = time.monotonic() + 60
    while not (
        said := re.search(
            r'"Listening on" address=127\.0\.0\.1:(\d+)\s', await asyncio.to_thread(log.read_text)
        )
    ):
        assert server.returncode is None, "prometheus ended early"
        assert time.monotonic() < deadline, "prometheus did not say where it listens"
        await asyncio.sleep(0.02)
    return int(said[1])


async def _asked(url: str, query: str, server: Process) -> str:
    deadline = time.monotonic() + 60
    async with ClientSession() as session:
        while True:
            assert server.returncode is None, "prometheus ended early"
            assert time.monotonic() < deadline, f"no sample of {query} arrived in time"
            try:
                async with session.get(f"{url}/api/v1/query", params={"query": query}) as answer:
                    if answer.status == 200 and (rows := (await answer.json())["data"]["result"]):
                        return str(rows[0]["value"][1])
            except OSError:
                pass  # not listening yet
            await asyncio.sleep(0.05)
