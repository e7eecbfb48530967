"""The broker's stream against a small broker on loopback that misbehaves in each way that is asked of it."""

import asyncio
import json
import random
from dataclasses import replace

import picows
import pytest

from ingest.feed import FrameBuffer
from ingest.packets import SNAP_QUOTE, packet
from ingest.smartapi.line import Line, NoTokens
from ingest.smartapi.registry import Change
from ingest.smartapi.stream import Stream
from ingest.smartapi.watchdog import Patience
from ingest.smartapi.wire import Subscription
from oimon.clock import SystemClock
from oimon.terms import FeedState, MarketState
from tests.eventually import eventually
from tests.fakes.smartapi import client_tls, server_tls

QUICK = Patience(
    silent_s=0.4,
    heartbeat_s=0.1,
    no_answer_s=0.4,
    first_wait_s=0.02,
    longest_wait_s=0.05,
    crowded_wait_s=0.3,
)
PACKET = packet(SNAP_QUOTE, "NFO", "40637", ltp=12_385, oi=650)
WANTED = [Subscription(3, 2, str(token)) for token in range(60)]


class Broker:
    """Speaks as the broker does; what goes wrong is set from outside."""

    def __init__(self):
        self.turn_away, self.is_mute, self.is_deaf, self.hangs_up = None, False, False, False
        self.lines, self.asked, self.headers = [], [], []

    async def start(self, tls=None):
        self._server = await picows.ws_create_server(
            self._meet, "127.0.0.1", 0, enable_auto_pong=False, ssl=tls
        )
        port = self._server.sockets[0].getsockname()[1]
        self.url = f"{'wss' if tls else 'ws'}://127.0.0.1:{port}/smart-stream"

    def _meet(self, request):
        self.headers.append(dict(request.headers))
        if self.turn_away is not None:
            status, said = self.turn_away
            response = picows.WSUpgradeResponse.create_error_response(
                status, b"", {"x-error-message": said}
            )
            return picows.WSUpgradeResponseWithListener(response, None)
        return _Caller(self)

    def send(self, *packets):
        for line in self.lines:
            for each in packets:
                line.send(picows.WSMsgType.BINARY, each)

    def hang_up(self):
        for line in list(self.lines):
            line.disconnect(graceful=False)

    async def stop(self):
        self.hang_up()
        self._server.close()
        await self._server.wait_closed()

    @property
    def tokens(self):
        """Tokens subscribed over all requests, less those that were unsubscribed."""
        held = set()
        for request in self.asked:
            some = {t for part in request["params"]["tokenList"] for t in part["tokens"]}
            held = held | some if request["action"] else held - some
        return held


class _Caller(picows.WSListener):
    def __init__(self, broker):
        self._broker = broker

    def on_ws_connected(self, transport):
        self._broker.lines.append(transport)
        if self._broker.hangs_up:
            transport.disconnect(graceful=False)

    def on_ws_disconnected(self, transport):
        self._broker.lines.remove(transport)

    def on_ws_frame(self, transport, frame):
        if self._broker.is_deaf:
            return
        if frame.msg_type == picows.WSMsgType.PING:
            transport.send_pong()
        if frame.msg_type == picows.WSMsgType.TEXT:
            text = frame.get_payload_as_utf8_text()
            if text == "ping":
                transport.send(picows.WSMsgType.TEXT, b"pong")
            else:
                self._broker.asked.append(json.loads(text))
                if not self._broker.is_mute:
                    transport.send(picows.WSMsgType.BINARY, PACKET)


class Desk:
    """Gives tokens, and counts how often they were refused."""

    def __init__(self):
        self.refused, self.renewals, self.none = [], [], None

    async def headers(self):
        if self.none is not None:
            raise self.none
        return {"x-feed-token": f"token-{len(self.refused)}"}

    def refuse(self, why, *, renew):
        self.refused.append(why)
        self.renewals.append(renew)

    def hide(self, text):
        return text.replace("token-0", "***")


@pytest.fixture
async def broker():
    broker = Broker()
    await broker.start()
    yield broker
    await broker.stop()


@pytest.fixture
async def calling(broker):
    """Return a function that starts a stream to the broker; it ends with the test."""
    running = []

    def start(market=MarketState.OPEN, patience=QUICK, tls=None):
        buffer, desk, outages = FrameBuffer(lambda: None), Desk(), []
        stream = Stream(
            0,
            Line(url=broker.url, tls=tls, patience=patience, dice=random.Random(1)),
            desk,
            buffer,
            SystemClock(),
            market=lambda _: market,
            over=outages.append,
        )
        stream.ask(Change(connection=0, add=WANTED))
        running.append(asyncio.ensure_future(stream.run()))
        return stream, buffer, desk, outages

    yield start
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    assert all(task.cancelled() for task in running), "an exception escaped"


def taken(buffer):
    frames, _, _ = buffer.take()
    return frames


async def test_it_subscribes_to_everything_and_hands_packets_over(broker, calling):
    stream, buffer, _, _ = calling()

    await eventually(lambda: len(broker.asked) == 2)
    await eventually(lambda: len(taken(buffer)) > 0)

    assert broker.tokens == {str(token) for token in range(60)}
    assert broker.headers[0]["x-feed-token"] == "token-0"
    assert stream.state is FeedState.OK


async def test_a_change_is_asked_for_on_the_open_connection(broker, calling):
    stream, _, _, _ = calling()
    await eventually(lambda: len(broker.asked) == 2)

    more = [Subscription(3, 2, "777")]
    stream.ask(Change(connection=0, add=more, remove=WANTED[:1]))

    await eventually(lambda: len(broker.asked) == 4)
    assert [request["action"] for request in broker.asked[2:]] == [1, 0]
    assert len(broker.headers) == 1


async def test_a_closed_connection_is_made_again_with_the_changed_subscriptions(broker, calling):
    stream, _, desk, outages = calling()
    await eventually(lambda: len(broker.asked) == 2)
    stream.ask(Change(connection=0, remove=WANTED[:10]))
    broker.asked.clear()

    broker.hang_up()

    await eventually(lambda: len(outages) == 1)
    assert broker.tokens == {str(token) for token in range(10, 60)}
    assert outages[0].why == "the broker closed the connection"
    assert outages[0].from_us < outages[0].to_us
    assert not desk.refused


async def test_a_broker_that_hangs_up_at_once_is_called_more_and_more_seldom(broker, calling):
    broker.hangs_up = True
    stream, _, _, _ = calling(patience=replace(QUICK, first_wait_s=0.05, longest_wait_s=30.0))

    await asyncio.sleep(1.5)

    assert 2 <= len(broker.headers) <= 7
    assert stream.state is FeedState.DOWN


async def test_a_mute_connection_is_given_up_and_the_second_time_a_login_is_asked_for(
    broker, calling
):
    broker.is_mute = True
    _, _, desk, _ = calling()

    await eventually(lambda: desk.refused)

    assert len(broker.headers) == 2
    assert "no packet for" in desk.refused[0]
    assert not desk.renewals[0], "a session that is in doubt is not renewed"
    broker.is_mute = False
    await eventually(lambda: broker.headers[-1]["x-feed-token"] == "token-1")


async def test_an_outage_begins_with_the_last_packet_not_when_it_is_noticed(broker, calling):
    _, _, _, outages = calling()

    await eventually(lambda: outages)

    assert "no packet for" in outages[0].why
    assert outages[0].to_us - outages[0].from_us >= QUICK.silent_s * 1e6


async def test_a_mute_connection_is_kept_while_the_market_is_closed(broker, calling):
    broker.is_mute = True
    stream, _, desk, _ = calling(MarketState.CLOSED)

    await asyncio.sleep(1.0)

    assert len(broker.headers) == 1
    assert stream.state is FeedState.OK
    assert not desk.refused


async def test_a_half_open_connection_is_given_up_even_then(broker, calling):
    broker.is_deaf = True
    stream, _, _, _ = calling(MarketState.CLOSED)

    await eventually(lambda: len(broker.headers) == 2)

    assert "no answer to heartbeats" in stream.why or stream.state is FeedState.OK


async def test_tokens_that_are_not_taken_are_refused_and_the_reason_is_shown(broker, calling):
    broker.turn_away = (401, "Invalid Header - Invalid Feed Token")
    stream, _, desk, _ = calling()

    await eventually(lambda: desk.refused)

    assert desk.refused[0] == "Invalid Header - Invalid Feed Token"
    assert "Invalid Feed Token" in stream.why
    broker.turn_away = None
    await eventually(lambda: stream.state is FeedState.OK)


async def test_words_that_repeat_a_token_are_shown_without_it_and_not_at_any_length(
    broker, calling, caplog
):
    broker.turn_away = (401, "no such token: token-0 " + 9000 * "x")
    stream, _, desk, _ = calling()

    await eventually(lambda: desk.refused)
    broker.turn_away = None
    await eventually(lambda: broker.lines)
    broker.lines[0].send(picows.WSMsgType.TEXT, b'{"errorCode":"E1001","errorMessage":"token-0"}')
    await eventually(lambda: "E1001" in stream.why)

    said = [desk.refused[0], stream.why, *(f"{each.__dict__}" for each in caplog.records)]
    assert said[0].startswith("no such token: *** x")
    assert all("token-0" not in each and len(each) < 5000 for each in said)


async def test_too_many_connections_are_waited_out(broker, calling):
    broker.turn_away = (429, "Connection Limit Exceeded.")
    stream, _, desk, _ = calling()
    await eventually(lambda: broker.headers)

    await asyncio.sleep(0.2)

    assert len(broker.headers) == 1
    assert "is another program connected" in stream.why
    assert not desk.refused


async def test_without_tokens_nothing_is_called_and_the_state_says_why(broker, calling):
    stream, _, desk, _ = calling()
    await eventually(lambda: broker.headers)
    desk.none = NoTokens("AB1006: the client is blocked", wait_s=0.05)
    broker.hang_up()

    await eventually(lambda: stream.state is FeedState.LOGIN_FAILED)

    assert stream.why == "AB1006: the client is blocked"
    calls = len(broker.headers)
    await asyncio.sleep(0.2)
    assert len(broker.headers) == calls
    desk.none = None
    await eventually(lambda: stream.state is FeedState.OK)


async def test_a_broker_that_is_not_there_is_called_for_ever(broker, calling):
    await broker.stop()
    stream, _, _, _ = calling()

    await eventually(lambda: "cannot connect" in stream.why)

    assert stream.state is FeedState.DOWN


@pytest.fixture
async def secured(broker):
    """The broker, whose line is encrypted; its certificate is signed by the tests' authority."""
    await broker.stop()
    await broker.start(server_tls())
    return broker


async def test_a_certificate_that_can_be_checked_is_taken(secured, calling):
    stream, buffer, _, _ = calling(tls=client_tls())

    await eventually(lambda: len(taken(buffer)) > 0)

    assert stream.state is FeedState.OK


async def test_a_certificate_that_nobody_vouches_for_is_refused_before_a_token_is_shown(
    secured, calling
):
    stream, _, _, _ = calling()

    await eventually(lambda: "certificate" in stream.why.lower())

    assert stream.state is FeedState.DOWN
    assert not secured.headers


async def test_refusals_and_unknown_words_leave_the_connection(broker, calling, caplog):
    stream, buffer, _, _ = calling(patience=replace(QUICK, silent_s=30.0, no_answer_s=30.0))
    await eventually(lambda: broker.lines)

    refused = b'{"errorCode":"E1002","errorMessage":"Subscription Limit Exceeded"}'
    for text in (b"hello", refused, b"\xff\xfe"):
        broker.lines[0].send(picows.WSMsgType.TEXT, text)
    await eventually(lambda: "E1002" in stream.why)
    broker.lines[0].send(picows.WSMsgType.TEXT, refused)
    broker.send(b"", b"x", b"\0" * 5000, PACKET)

    await eventually(lambda: PACKET in taken(buffer))
    assert len(broker.headers) == 1
    assert [each.message for each in caplog.records].count("subscription refused") == 1
