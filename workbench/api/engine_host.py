"""A desk with its server, as one thing to start and stop: the engine process and the thread host both run this."""

import asyncio
import ipaddress
import os
import time
from importlib.metadata import version
from pathlib import Path

from workbench.api.address import Address, desk_folder, remove_address, write_address
from workbench.api.server import Server, ServerLimits, free_socket
from workbench.config import Settings
from workbench.errors import BadValue
from workbench.monitor import MetricsSource, metrics_text
from workbench.orchestrator import Desk

__all__ = ["EngineHost"]


class EngineHost:
    """Start order: port, journal and recovery, server, address book. `ended` is set when a client asks to stop."""

    def __init__(
        self, settings: Settings, home: Path, *, play: bool | None = True, limits: ServerLimits | None = None
    ) -> None:
        self.settings = settings
        self.folder = desk_folder(settings.name, home)
        self.ended = asyncio.Event()
        self.desk = Desk(settings, home, play=play, version=version("workbench"))
        self._limits = limits
        self._server: Server | None = None

    async def start(self) -> Address:
        """Everything up; the address is in the book when orders are accepted.

        Raises:
            Refused: the port is taken, or the folder cannot be written. AccountLocked, JournalError, UnknownName:
            what `Desk.start` says.
        """
        api = self.settings.api
        if not _loopback(api.host):
            raise BadValue(
                "api.host", api.host, "give 127.0.0.1, localhost or ::1; reach it from afar through a tunnel"
            )
        bound = free_socket(api.host, api.port)
        try:
            await self.desk.start()
        except BaseException:
            bound.close()
            raise
        self._server = server = Server(
            self.desk,
            bound,
            metrics_text=self._metrics,
            on_stop=self.ended.set,
            extra_hosts=api.extra_hosts,
            extra_origins=api.extra_origins,
            limits=self._limits,
        )
        try:
            await server.start()
            token, _ = server.tokens.issue("full", "address book")
            epoch = self.desk.snapshot().session.epoch
            address = Address(server.url, token, os.getpid(), epoch, time.time_ns(), version("workbench"))
            write_address(self.folder, "engine", address)
        except BaseException:
            await self.stop()
            raise
        return address

    async def stop(self) -> None:
        """Out of the book first, then the market and the orders, then the journal; the server answers meanwhile."""
        remove_address(self.folder, "engine", os.getpid())
        await self.desk.stop()
        if self._server is not None:
            await self._server.close()
            self._server = None

    def _metrics(self) -> bytes:
        desk = self.desk
        return metrics_text(
            MetricsSource(
                desk.snapshot,
                desk.stages,
                desk.loop_lag.histogram,
                desk.health.syncs,
                desk.tally,
                self.folder,
            )
        )


def _loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
