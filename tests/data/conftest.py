"""What the tests of downloads share."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator

import pytest
from faulty_server import Server


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.over.set()
    server.shutdown()
    thread.join()
    socketserver.TCPServer.server_close(server)
