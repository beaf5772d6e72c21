"""A TCP proxy before a server of the tests: forwards bytes, and fails on command at an exact byte of one trial.

It reads the heads of requests only to know whose bytes these are, and changes nothing but, on demand, the Host.
"""

import asyncio
import contextlib
import re
import socket
import struct
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from tests.live.processes import free_ports

PIECE = 256 * 1024
_HEAD = re.compile(rb"(PUT|POST|GET|HEAD|DELETE) (\S+) HTTP/1\.1\r\n")
_MARK = re.compile(rb"trial-\d+")
_RESET = struct.pack("ii", 1, 0)


@dataclass
class Rule:
    """Fail once ``at`` bytes have passed in one direction, counted over all connections and anew after each failure."""

    direction: Literal["up", "down"]
    at: int
    manner: Literal["reset", "close", "call"]
    times: int = 1
    silence: float = 0
    methods: tuple[str, ...] = ("PUT", "POST")
    action: Callable[[], None] | None = None
    seen: int = 0
    fired: int = 0
    # How many times the store began an upload and nobody was told.
    lost_begins: int = 0


@dataclass
class _Link:
    """One connection from the portal, and whose request is under way on it."""

    client: socket.socket
    server: socket.socket
    mark: bytes = b""
    method: str = ""
    target: bytes = b""
    is_answered: bool = True


class _FailedError(Exception):
    def __init__(self, manner: str) -> None:
        super().__init__(manner)
        self.manner = manner


class FaultyProxy:
    """Stands at ``url`` before the server at ``target``; a rule belongs to one mark, which its requests' paths hold."""

    def __init__(self, target: str, *, rewrites_host: bool = False) -> None:
        parts = urlsplit(target)
        assert parts.hostname
        assert parts.port
        (port,) = free_ports(1)
        self.url = f"http://127.0.0.1:{port}"
        self._target = (parts.hostname, parts.port)
        self._rewrites_host = rewrites_host
        # Both ports have five digits, so that byte counts stay what they are.
        self._hosts = (f"Host: 127.0.0.1:{port}\r\n".encode(), f"Host: {parts.netloc}\r\n".encode())
        self._listener = socket.create_server(("127.0.0.1", port), backlog=256)
        self._listener.setblocking(False)
        self._loop = asyncio.new_event_loop()
        self._rules: dict[bytes, Rule] = {}
        self._thread = threading.Thread(target=self._run, name="faulty", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def end(self) -> None:
        self._loop.call_soon_threadsafe(self._serving.cancel)
        self._thread.join()
        self._listener.close()
        self._loop.close()

    def lay(self, mark: str, rule: Rule) -> None:
        self._rules[mark.encode()] = rule

    def lift(self, mark: str) -> None:
        self._rules.pop(mark.encode(), None)

    def _run(self) -> None:
        self._serving = self._loop.create_task(self._serve())
        with contextlib.suppress(asyncio.CancelledError):
            self._loop.run_until_complete(self._serving)
        self._loop.run_until_complete(_drop(asyncio.all_tasks(self._loop)))

    async def _serve(self) -> None:
        links: set[asyncio.Task[None]] = set()
        while True:
            client, _ = await self._loop.sock_accept(self._listener)
            task = self._loop.create_task(self._hold(client))
            links.add(task)
            task.add_done_callback(links.discard)

    async def _hold(self, client: socket.socket) -> None:
        with client, socket.socket() as server:
            for one in (client, server):
                one.setblocking(False)
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            link = _Link(client, server)
            try:
                await self._loop.sock_connect(server, self._target)
                await self._both_ways(link)
            except (OSError, _FailedError) as error:
                if not (isinstance(error, _FailedError) and error.manner == "close"):
                    for one in (client, server):
                        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)

    async def _both_ways(self, link: _Link) -> None:
        ways = [self._loop.create_task(way) for way in (self._up(link), self._down(link))]
        try:
            await asyncio.gather(*ways)
        finally:
            # A socket that another task waits on would not be closed now.
            await _drop(ways)

    async def _up(self, link: _Link) -> None:
        buffer = bytearray(PIECE)
        while count := await self._loop.sock_recv_into(link.client, buffer):
            block = memoryview(buffer)[:count]
            if link.is_answered and (head := _HEAD.match(block)):
                mark = _MARK.search(head[2])
                link.mark, link.method, link.target = mark[0] if mark else b"", head[1].decode(), head[2]
                if self._rewrites_host:
                    block = memoryview(bytes(block).replace(*self._hosts, 1))
            link.is_answered = False
            await self._pass(link, "up", link.server, block)
        link.server.shutdown(socket.SHUT_WR)

    async def _down(self, link: _Link) -> None:
        buffer = bytearray(PIECE)
        while count := await self._loop.sock_recv_into(link.server, buffer):
            link.is_answered = True
            await self._pass(link, "down", link.client, memoryview(buffer)[:count])
        link.client.shutdown(socket.SHUT_WR)

    async def _pass(self, link: _Link, direction: str, to: socket.socket, block: memoryview) -> None:
        rule = self._rules.get(link.mark)
        if rule is None or (rule.direction, rule.fired < rule.times, link.method in rule.methods) != (
            direction,
            True,
            True,
        ):
            await self._loop.sock_sendall(to, block)
            return
        if rule.seen + len(block) <= rule.at:
            rule.seen += len(block)
            await self._loop.sock_sendall(to, block)
            return
        before, rest = block[: rule.at - rule.seen], block[rule.at - rule.seen :]
        rule.seen, rule.fired = 0, rule.fired + 1
        rule.lost_begins += direction == "down" and link.target.endswith(b"?uploads")
        await self._loop.sock_sendall(to, before)
        await asyncio.sleep(rule.silence)
        if rule.action is not None:
            rule.action()
        if rule.manner != "call":
            raise _FailedError(rule.manner)
        await self._loop.sock_sendall(to, rest)


async def _drop(tasks: Iterable[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
