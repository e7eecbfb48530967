"""The broker's own parser, as an oracle: its SDK imported without what that import does besides.

Source: smartapi, section 1.2 (a look-up of one's address over the network at import, a folder of logs at construction).
"""

import logging
import warnings
from collections.abc import Callable
from functools import cache
from typing import Any

import requests

Parser = Callable[[bytes], dict[str, Any]]


@cache
def sdk_parser() -> Parser:
    """Return ``SmartWebSocketV2._parse_binary_data``."""

    def offline(*_: object, **__: object) -> None:
        raise requests.ConnectionError("tests talk to loopback only")

    get, requests.get = requests.get, offline
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the SDK's own
            from SmartApi.smartWebSocketV2 import SmartWebSocketV2  # noqa: PLC0415 - not before get is replaced
    finally:
        logging.disable(logging.NOTSET)
        requests.get = get
    return SmartWebSocketV2.__new__(SmartWebSocketV2)._parse_binary_data
