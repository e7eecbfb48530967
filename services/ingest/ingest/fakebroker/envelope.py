"""The broker's answers: two spellings of an envelope, and what is none at all (pure). Source: smartapi, sections 2.1 and 3."""

from typing import Any

import msgspec
from fastapi import Response

from ingest.fakebroker.account import Denial
from ingest.fakebroker.faults import Fault
from ingest.fakebroker.limits import SENTENCE

HTML_504 = (
    b"<html>\r\n<head><title>504 Gateway Time-out</title></head>\r\n<body></body>\r\n</html>\r\n"
)
MESSAGES = {
    Denial.TOKEN_INVALID: "Invalid Token",
    Denial.TOKEN_EXPIRED: "Token Expired",
    Denial.TOKEN_MISSING: "Token missing",
    Denial.API_KEY: "Invalid API Key",
    Denial.REFRESH_INVALID: "Invalid Refresh Token",
    Denial.REFRESH_EXPIRED: "Refresh Token Expired",
    Denial.CREDENTIALS: "Invalid clientcode parameter name",
    Denial.BLOCKED: "Client is blocked for trading",
    Denial.TOTP: "Invalid totp",
    "AB1004": "Something Went Wrong, Please Try After Sometime",
    "AB1009": "Symbol Not Found",
    "AB1021": "Too many requests",
    "AB2001": "Internal Error, Please Try After Sometime",
    "AB9019": "No Data Available",
}


class RefusedError(Exception):
    """A request that is answered with a failure.

    Args:
        code: the broker's.
        status: of HTTP.
    """

    def __init__(self, code: str, status: int = 200) -> None:
        super().__init__(code)
        self.code, self.status = code, status


def success(data: Any) -> Response:
    """Return an envelope with data; ``None`` is how the broker says that there are none."""
    return _json({"status": True, "message": "SUCCESS", "errorcode": "", "data": data})


def failure(code: str, status: int = 200) -> Response:
    """Return an envelope with an error."""
    told = {"status": False, "message": MESSAGES[code], "errorcode": code, "data": None}
    return _json(told, status)


def gateway(denial: Denial) -> Response:
    """Return what the gateway says before a request comes to anyone: another spelling, no ``status``."""
    told = {"success": False, "message": MESSAGES[denial], "errorCode": denial.value, "data": ""}
    return _json(told)


def throttled() -> Response:
    """Return what is said to who asks too often: text, no JSON."""
    return Response(SENTENCE, 403, media_type="text/plain")


def spoilt(fault: Fault, whole: Response) -> Response:
    """Return what a fault of ``faults.ANSWER`` makes of an answer."""
    match fault:
        case Fault.EMPTY_BODY:
            return Response(b"", 200, media_type="application/json")
        case Fault.HTML_504:
            return Response(HTML_504, 504, media_type="text/html")
        case Fault.HALF_JSON:
            return Response(
                bytes(whole.body)[: len(whole.body) // 2], 200, media_type="application/json"
            )
        case Fault.THROTTLE:
            return throttled()
        case Fault.NULL_DATA:
            return success(None)
        case _:
            return failure(fault.value.upper())


def _json(value: Any, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status, media_type="application/json")
