"""The local broker's stream over a socket: handshake, subscriptions, packets, and each fault of them."""

import asyncio
import random
import ssl

import picows
import pytest

from ingest.fakebroker import stream
from ingest.fakebroker.broker import FakeBroker
from ingest.fakebroker.faults import Fault
from ingest.packets import LTP, QUOTE, SNAP_QUOTE, fields
from tests.eventually import eventually
from tests.fakes import smartapi
from tests.fakes.smartapi import CALL, FUTURE, INDEX, LEGS, ROWS, by_hand, connected, settled

SECOND_FRAMES = len(ROWS)


async def refused(broker, headers, query=""):
    with pytest.raises(picows.WSInvalidStatusError) as error:
        await picows.ws_connect(smartapi.Client, broker.stream_url + query, extra_headers=headers)
    response = error.value.response
    return response.status.value, response.headers.get("x-error-message"), error.value.raw_body


async def test_first_ticks_come_at_once_and_then_one_frame_a_packet():
    async with by_hand() as broker, connected(broker) as client:
        await client.subscribe()
        first = [*await settled(client, SECOND_FRAMES)]
        await broker.broadcast.play(frames=3)
        got = await settled(client, SECOND_FRAMES + 3)

    assert [fields(each)["token"] for each in first] == [each.token for each in ROWS]
    assert {len(each) for each in got} == {379}
    assert [fields(each)["exchange_ms"] for each in got[-3:]] == [1_795_578_301_000] * 3
    assert broker.facts()["stream"]["packets"] == SECOND_FRAMES + 3


async def test_each_token_and_mode_is_a_stream_of_its_own():
    async with by_hand() as broker, connected(broker) as client:
        for mode in (LTP, QUOTE, SNAP_QUOTE):
            await client.subscribe([CALL], mode)
        await broker.broadcast.play(until_us=smartapi.OPENS_US + 2 * smartapi.SECOND)
        got = await settled(client, 6)
        await client.subscribe([CALL], QUOTE, action=0)
        await broker.broadcast.play(until_us=smartapi.OPENS_US + 3 * smartapi.SECOND)
        after = (await settled(client, 8))[6:]

    assert [(each[0], len(each)) for each in got] == [(1, 51), (2, 123), (3, 379)] * 2
    assert {each[1:51] for each in got[3:]} == {got[5][1:51]}
    assert [each[0] for each in after] == [LTP, SNAP_QUOTE]


async def test_an_index_in_mode_three_has_a_price_and_a_book_that_says_none():
    async with by_hand() as broker, connected(broker) as client:
        await client.subscribe([INDEX])
        (packet,) = await settled(client, 1)

    found = fields(packet)
    assert (found["ltp"], found["volume"], found["oi"]) == (2_419_635, 0, 0)
    assert found["levels"][0] == {"flag": 1, "qty": -1, "price": -1, "orders": 0}
    assert all(each["qty"] == 0 for each in found["levels"][5:])


async def test_both_kinds_of_ping_are_answered():
    async with by_hand() as broker, connected(broker) as client:
        client.transport.send_ping()
        client.transport.send_ping(b"x")
        await client.is_read()

    assert client.pongs == [b"", b"x"]
    assert client.texts == [b"pong"]


@pytest.mark.parametrize(
    "text",
    [
        b"{",
        b"\xff\xfe",
        smartapi.request([CALL], mode=9),
        smartapi.request([CALL], mode=4),
        smartapi.request([CALL], action=7),
        {"correlationID": "abcde12345", "action": 1, "params": {"mode": 1, "tokenList": [{"exchangeType": 6, "tokens": ["1"]}]}},
    ],
)  # fmt: skip
async def test_bad_requests_are_answered_with_e1001_and_change_nothing(text):
    async with by_hand() as broker, connected(broker) as client:
        await client.subscribe([CALL], LTP)
        client.text(text)
        await client.is_read()
        await broker.broadcast.play(until_us=smartapi.OPENS_US + 2 * smartapi.SECOND)
        await settled(client, 2)

    assert b"E1001" in client.texts[1]
    assert (b"abcde12345" in client.texts[1]) == isinstance(text, dict)
    assert broker.facts()["stream"]["error_frames"] == 1


async def test_past_a_thousand_subscriptions_the_request_is_refused_and_the_others_stay():
    many = [smartapi.row(str(number), "X") for number in range(999)]
    async with by_hand() as broker, connected(broker) as client:
        await client.subscribe(many, LTP)
        await client.subscribe([CALL, FUTURE], LTP)
        await client.subscribe([*many, CALL], LTP)
        await settled(client, 1)
        counts = broker.facts()["stream"]["subscriptions"]

    assert b"E1002" in client.texts[1]
    assert counts == [1000]
    assert [fields(each)["token"] for each in client.binary] == [CALL.token]


async def test_a_request_without_correlation_id_is_good():
    async with by_hand() as broker, connected(broker) as client:
        asked = smartapi.request([CALL])
        del asked["correlationID"]
        client.text(asked)
        got = await settled(client, 1)

    assert len(got) == 1


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("Authorization", "Bearer no", "Auth token"),
        ("x-api-key", "no", "API Key"),
        ("x-client-code", "no", "Client Code"),
        ("x-feed-token", "no", "Feed Token"),
    ],
)
async def test_each_header_is_checked(name, value, said):
    async with by_hand() as broker:
        headers = smartapi.headers(broker, smartapi.open_session(broker)) | {name: value}
        status, message, _ = await refused(broker, headers)

    assert (status, message) == (401, f"Invalid Header - Invalid {said}")
    assert broker.facts()["stream"]["refused"] == {"401": 1}


async def test_code_and_feed_token_are_enough_as_headers_or_in_the_query():
    async with by_hand() as broker:
        tokens = smartapi.open_session(broker)
        own = broker.credentials
        short = {"x-client-code": own.client_code, "x-feed-token": tokens.feed}
        query = f"?clientCode={own.client_code}&feedToken={tokens.feed}&apiKey={own.api_key}"
        for url, headers in ((broker.stream_url, short), (broker.stream_url + query, {})):
            transport, _ = await picows.ws_connect(smartapi.Client, url, extra_headers=headers)
            transport.disconnect()
        wrong = query.replace(tokens.feed, "no")

        assert (await refused(broker, {}, wrong))[0] == 401


async def test_the_fourth_connection_is_refused():
    async with by_hand() as broker:
        tokens = smartapi.open_session(broker)
        async with connected(broker, tokens), connected(broker, tokens), connected(broker, tokens):
            status, message, body = await refused(broker, smartapi.headers(broker, tokens))
        await eventually(lambda: not broker.stream.connections)
        async with connected(broker, tokens):
            pass

    assert (status, message) == (429, "Invalid Request. Connection Limit Exceeded.")
    assert body.startswith(b"<html>")


@pytest.mark.parametrize(
    ("fault", "status"),
    [(Fault.HANDSHAKE_401, 401), (Fault.HANDSHAKE_429, 429), (Fault.HANDSHAKE_503, 503)],
)
async def test_a_handshake_can_be_refused_once(fault, status):
    async with by_hand() as broker:
        tokens = smartapi.open_session(broker)
        broker.faults.next(fault)
        found, _, _ = await refused(broker, smartapi.headers(broker, tokens))
        async with connected(broker, tokens):
            pass

    assert found == status


# --- faults of an open stream ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "is_sign"),
    [
        (Fault.TRUNCATED, lambda packet, odd: len(odd) < len(packet) and packet.startswith(odd)),
        (Fault.OVERSIZED, lambda packet, odd: len(odd) > len(packet) and odd.startswith(packet)),
        (Fault.RANDOM, lambda packet, odd: odd[1:27] != packet[1:27]),
        (Fault.WRONG_MODE, lambda packet, odd: odd[0] != packet[0] and odd[1:] == packet[1:]),
        (Fault.ABSURD, lambda packet, odd: fields(odd)["ltp"] == 2**62 and fields(odd)["oi"] < 0),
        (Fault.CLOCK_AHEAD, lambda packet, odd: shift_s(packet, odd) == 86_400),
        (Fault.OLD_DAY, lambda packet, odd: shift_s(packet, odd) == -86_400),
    ],
)
async def test_damage_comes_before_the_packet_which_comes_whole(fault, is_sign):
    async with by_hand() as broker, connected(broker) as client:
        await client.subscribe([CALL])
        broker.faults.next(fault)
        await broker.broadcast.play(until_us=smartapi.OPENS_US + 3 * smartapi.SECOND)
        _, odd, packet, after = await settled(client, 4)

    assert is_sign(packet, odd)
    assert [fields(each)["sequence"] for each in (packet, after)] == [13, 21]
    assert broker.facts()["faults"]["struck"] == {fault: 1}
    assert broker.stream.newest[packet[1:27], SNAP_QUOTE] == after


def shift_s(packet, odd):
    return (fields(odd)["exchange_ms"] - fields(packet)["exchange_ms"]) / 1000


@pytest.mark.parametrize(
    ("fault", "sequences"), [(Fault.DUPLICATE, [5, 13, 13, 21]), (Fault.OUT_OF_ORDER, [5, 13, 5, 21])]
)  # fmt: skip
async def test_a_packet_can_come_again(fault, sequences):
    async with by_hand() as broker, connected(broker) as client:
        await client.subscribe([CALL])
        broker.faults.next(fault)
        await broker.broadcast.play(until_us=smartapi.OPENS_US + 3 * smartapi.SECOND)
        got = await settled(client, 4)

    assert [fields(each)["sequence"] for each in got] == sequences


async def test_text_that_nobody_asked_for_can_come():
    async with by_hand() as broker, connected(broker) as client:
        await client.subscribe([CALL])
        broker.faults.next(Fault.TEXT)
        await broker.broadcast.play(frames=SECOND_FRAMES)
        await settled(client, 2)

    assert b"E9999" in client.texts[1]


async def test_close_comes_without_a_frame_and_a_new_connection_gets_the_newest():
    async with by_hand() as broker:
        async with connected(broker) as client:
            await client.subscribe(LEGS)
            broker.faults.next(Fault.CLOSE)
            await broker.broadcast.play(frames=SECOND_FRAMES)
            await eventually(lambda: client.is_closed)
        async with connected(broker) as again:
            await again.subscribe(LEGS)
            newest = await settled(again, len(LEGS))

    assert not client.has_close_frame
    assert {fields(each)["exchange_ms"] for each in newest} == {1_795_578_301_000}


@pytest.mark.parametrize(
    ("fault", "answers"), [(Fault.MUTE, True), (Fault.HALF_OPEN, False), (Fault.MIDNIGHT, True)]
)
async def test_a_connection_can_fall_silent(fault, answers):
    async with by_hand() as broker, connected(broker) as client:
        await client.subscribe([CALL])
        broker.faults.next(fault)
        await broker.broadcast.play(frames=3 * SECOND_FRAMES)
        client.text(b"ping")
        client.transport.send_ping()
        if answers:
            await client.is_read()
        await asyncio.sleep(0.05)

    assert len(client.binary) == 2  # the first, and the one at which the fault struck
    assert (b"pong" in client.texts[1:], bool(client.pongs)) == (answers, answers)
    assert broker.facts()["stream"]["withheld"] == 2


async def test_a_connection_can_be_mute_from_the_start():
    async with by_hand() as broker:
        broker.faults.next(Fault.MUTE_CONNECT)
        async with connected(broker) as client, connected(broker) as other:
            await client.subscribe([CALL])
            await other.subscribe([CALL])
            await settled(other, 1)

    assert client.binary == []


async def test_after_a_token_has_expired_the_open_connection_goes_on_and_no_new_one_opens():
    async with by_hand() as broker:
        tokens = smartapi.open_session(broker)
        async with connected(broker, tokens) as client:
            await client.subscribe([CALL])
            broker.faults.next(Fault.TOKEN_EXPIRY)
            await broker.broadcast.play(frames=3 * SECOND_FRAMES)
            await settled(client, 4)
            status, _, _ = await refused(broker, smartapi.headers(broker, tokens))

    assert status == 401


async def test_a_burst_ends_with_what_is_newest():
    async with by_hand() as broker, connected(broker) as client:
        await client.subscribe()
        broker.faults.next(Fault.BURST)
        await broker.broadcast.play(frames=1)
        got = await settled(client, SECOND_FRAMES + 1 + 10_000)

    assert len(got) == SECOND_FRAMES + 1 + 10_000
    newest = {each[1:27]: each for each in got}
    assert newest == {name: packet for (name, _), packet in broker.stream.newest.items()}
    assert len({fields(each)["ltp"] for each in got if each[1:27] == got[0][1:27]}) > 7
    assert broker.facts()["stream"]["beside"] == 10_000


async def test_under_all_damage_at_once_what_is_newest_is_that_of_an_undisturbed_feed():
    newest = []
    for rate in (0.0, 0.2):
        async with by_hand(60) as broker, connected(broker) as client:
            for fault in (
                Fault.TRUNCATED,
                Fault.OVERSIZED,
                Fault.RANDOM,
                Fault.WRONG_MODE,
                Fault.TEXT,
                Fault.DUPLICATE,
            ):
                broker.faults.rate(fault, rate)  # fmt: skip
            await client.subscribe()
            await broker.broadcast.play()
            await settled(client, 60 * SECOND_FRAMES)
        newest.append(
            {each[1:27]: each for each in client.binary if len(each) == 379 and each[0] == 3}
        )
        newest[-1] = {name: newest[-1][name] for name in broker.market.listed}

    assert newest[0] == newest[1]
    assert broker.facts()["faults"]["struck"].keys() >= {"truncated", "random", "duplicate"}


# --- the feed begins, and TLS ------------------------------------------------------------------------------------------


async def test_the_feed_waits_for_subscriptions_that_have_settled():
    broker = FakeBroker(smartapi.a_source(3), settle_s=0.05)
    async with broker:
        await asyncio.sleep(0.1)
        played_before = broker.broadcast.played
        async with connected(broker) as client:
            await client.subscribe(LEGS[:3])
            await client.subscribe(LEGS[3:])
            got = await settled(client, 3 * len(LEGS))

    assert played_before == SECOND_FRAMES
    assert len(got) == 3 * len(LEGS)


async def test_a_day_at_a_speed_takes_its_time():
    broker = FakeBroker(smartapi.a_source(11), speed=50.0, settle_s=0.01)
    async with broker, connected(broker) as client:
        await client.subscribe([CALL])
        started = asyncio.get_running_loop().time()
        await settled(client, 11)
        took_s = asyncio.get_running_loop().time() - started

    assert took_s > 0.17


async def test_the_stream_shows_a_certificate_that_is_verified():
    async with by_hand(tls=smartapi.server_tls()) as broker:
        async with connected(broker, ssl_context=smartapi.client_tls()) as client:
            await client.subscribe([CALL])
            got = await settled(client, 1)
        with pytest.raises(ssl.SSLCertVerificationError):
            async with connected(broker, ssl_context=ssl.create_default_context()):
                pass

    assert broker.stream_url.startswith("wss://")
    assert len(got) == 1


async def test_chance_in_the_requests_ends_no_connection():
    dice = random.Random(5)
    async with by_hand() as broker, connected(broker) as client:
        for _ in range(200):
            client.text(dice.randbytes(dice.randrange(1, 60)))
        await client.is_read()

        assert not client.is_closed
    assert broker.facts()["stream"]["error_frames"] == 200


# --- a client that does not read ---------------------------------------------------------------------------------------


async def test_a_feed_without_a_pace_waits_for_its_slowest_client():
    async with by_hand() as broker, connected(broker) as client:
        await client.subscribe()
        client.transport.underlying_transport.pause_reading()
        broker.faults.next(Fault.BURST, 5)
        playing = asyncio.ensure_future(broker.broadcast.play(frames=3 * SECOND_FRAMES))
        await eventually(lambda: broker.stream.unsent_bytes > 1_000_000)
        await asyncio.sleep(0.05)
        was_done = playing.done()
        client.transport.underlying_transport.resume_reading()
        await asyncio.wait_for(playing, 10)
        got = await settled(client, 4 * SECOND_FRAMES + 50_000)

    assert not was_done
    assert len(got) == 4 * SECOND_FRAMES + 50_000


async def test_who_never_reads_is_cut(monkeypatch):
    monkeypatch.setattr(stream, "_SLOW_BYTES", 500_000)
    async with by_hand() as broker, connected(broker) as client, connected(broker) as other:
        await client.subscribe()
        client.transport.underlying_transport.pause_reading()
        broker.faults.next(Fault.BURST, 5)
        await asyncio.wait_for(broker.broadcast.play(frames=3 * SECOND_FRAMES), 10)
        await other.is_read()
        counts = broker.facts()["stream"]

    assert (counts["cut_slow"], counts["connections"]) == (1, 1)
