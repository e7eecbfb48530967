"""Asks a service on this machine whether it is ready. Imports little, because containers ask every few seconds."""

import json
import os
import sys
from http.client import HTTPConnection, HTTPException

from oimon.terms import SERVICES

TIMEOUT_S = 4.0
ELSEWHERE = "if it runs, `oi status --json` tells its port (http), and --port asks there"


def ask(service: str, port: int) -> tuple[bool, str]:
    """Return whether the service is ready that should be at that port, and in words why not; another one there is no answer."""
    connection = HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
    try:
        connection.request("GET", "/readyz")
        answer = json.loads(connection.getresponse().read())
        if answer["service"] != service:
            return False, f"at 127.0.0.1:{port} is {answer['service']}, not {service}; {ELSEWHERE}"
        return bool(answer["ready"]), "; ".join(answer["reasons"]) or "ready"
    except (OSError, HTTPException, ValueError, KeyError, TypeError) as error:
        return False, f"no answer from 127.0.0.1:{port}: {error}; {ELSEWHERE}"
    finally:
        connection.close()


def main() -> None:
    """Ask the service that this container runs; exit code 0 if it is ready."""
    port = os.environ.get("HTTP_PORT") or SERVICES[os.environ["SERVICE"]]
    ready, words = ask(os.environ["SERVICE"], int(port))
    sys.stdout.write(words + "\n")
    sys.exit(0 if ready else 1)
