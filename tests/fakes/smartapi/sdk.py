"""The broker's own SDK, unmodified, against an address: a program of its own, since the SDK leaves logs and threads behind.

Run in a scratch folder as ``python -m tests.fakes.smartapi.sdk session|stream``, with what it needs as JSON on standard input; it
prints what it found as JSON. Source: smartapi, sections 1.2 to 1.6 and 6.
"""

import json
import os
import sys
import threading
import warnings

import requests


def _offline(*_args, **_options):
    raise requests.ConnectionError("this program talks to loopback only")


def sdk():
    """Return the SDK's two classes, imported without the look-up of one's own address."""
    get, requests.get = requests.get, _offline
    warnings.simplefilter("ignore")  # the SDK's own
    from SmartApi import SmartConnect  # noqa: PLC0415 - not before get is replaced
    from SmartApi.smartWebSocketV2 import SmartWebSocketV2  # noqa: PLC0415 - as above

    requests.get = get
    return SmartConnect, SmartWebSocketV2


def session(told):
    """Log in, quote, ask for history, renew, log out."""
    connect, _ = sdk()
    api = connect(api_key=told["api_key"], root=told["url"])
    profile = api.generateSession(told["client_code"], told["pin"], told["totp"])
    quote = api.getMarketData("FULL", {"NFO": [told["token"]]})
    span = {"fromdate": told["fromdate"], "todate": told["todate"], "interval": "ONE_MINUTE"}
    asked = {"exchange": "NFO", "symboltoken": told["token"]} | span
    found = {
        "profile": profile["data"],
        "quote": quote["data"],
        "candles": api.getCandleData(dict(asked))["data"],
        "oi": api.getOIData(dict(asked))["data"],
        "greeks": api.optionGreek({"name": "NIFTY", "expirydate": told["expiry"]})["data"],
        "pcr": api.putCallRatio()["data"],
        "renewed": api.generateToken(api.refresh_token)["data"],
    }
    return found | {"logout": api.terminateSession(told["client_code"])}


def stream(told):
    """Connect, subscribe, and return the first packets as the SDK reads them."""
    _, socket = sdk()
    socket.ROOT_URI = told["stream_url"]
    tokens = told["tokens"]
    client = socket(
        tokens["jwt"], told["api_key"], told["client_code"], tokens["feed"], max_retry_attempt=0
    )
    ticks, enough = [], threading.Event()

    def on_data(_app, tick):
        ticks.append(tick)
        if len(ticks) >= told["count"]:
            enough.set()

    client.on_open = lambda _app: client.subscribe("abcde12345", 3, told["token_list"])
    client.on_data = on_data
    client.on_error = lambda *_: None
    threading.Thread(target=client.connect, daemon=True).start()
    enough.wait(20)
    return ticks


if __name__ == "__main__":
    print(json.dumps({"session": session, "stream": stream}[sys.argv[1]](json.load(sys.stdin))))
    sys.stdout.flush()
    os._exit(0)  # the SDK's threads take ten seconds to end
