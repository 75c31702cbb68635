"""Ports for servers that cannot be given a listening socket: free ones, which nobody takes in the meantime."""

from __future__ import annotations

import random
import socket

_BELOW_THE_SYSTEM_S_OWN = range(10_000, 32_000)
"""Linux gives connections that ask for no port one from 32,768 on: of these, nobody gets one by chance."""


def free_port() -> int:
    """A port of loopback on which nothing listens."""
    while True:
        port = random.SystemRandom().choice(_BELOW_THE_SYSTEM_S_OWN)
        try:
            with socket.create_server(("127.0.0.1", port)):
                return port
        except OSError:
            continue
