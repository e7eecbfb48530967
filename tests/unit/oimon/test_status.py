"""What ``oi status`` makes of the replicas' own words."""

import io

from rich.console import Console

from oimon import status
from oimon.terms import SERVICES


def a_status(service: str, **fields) -> dict:
    return {
        "service": service, "replica": f"{service}-1", "state": "ready", "problems": [], "partitions": [],
        "last_error": None, "at_us": 0, **fields,
    }  # fmt: skip


def an_owner(replica: str, epoch: int, *, said_ms: int, **fields) -> dict:
    held = {
        "role": "analytics", "partition": "NIFTY", "epoch": epoch, "lag": 0, "lag_s": 0.0,
        "restored": True, "parked": 0, "last_error": None, **fields,
    }  # fmt: skip
    return a_status("analytics", replica=replica, at_us=said_ms * 1000, partitions=[held])


def a_system(*services: dict) -> status.System:
    return status.System(services=services, ages=(), contested=status.contested(services))


def text_of(system) -> str:
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(status.tables(system))
    return console.export_text()


def test_two_replicas_that_claim_a_partition_are_a_problem_in_plain_words():
    system = a_system(
        an_owner("analytics-a", 5_000, said_ms=9_500), an_owner("analytics-b", 9_000, said_ms=9_600)
    )

    text = " ".join(text_of(system).split())

    assert not system.is_ready
    assert "analytics of NIFTY is claimed by analytics-a (epoch 5000) and analytics-b" in text
    assert "restart analytics-a" in text


def test_what_was_said_before_another_took_over_is_no_claim():
    killed = an_owner("analytics-a", 5_000, said_ms=8_900)
    successor = an_owner("analytics-b", 9_000, said_ms=9_600)

    assert status.contested([killed, successor]) == []
    assert status.contested([successor, killed]) == []


def test_each_replica_has_a_row_with_what_it_owns_how_far_behind_it_is():
    text = text_of(
        a_system(
            an_owner("analytics-a", 5_000, said_ms=9_500, lag=7, lag_s=6.5, parked=2),
            a_status("analytics", replica="analytics-b"),
        )
    )

    assert "NIFTY, epoch 5000, 7 behind (6.5 s), 2 parked" in text
    assert "analytics-b" in text


def test_a_role_is_named_where_it_is_not_the_service_s_own():
    owner = an_owner("notifier-a", 5_000, said_ms=9_500, role="telegram", partition="telegram")

    assert "telegram of telegram, epoch 5000" in text_of(a_system({**owner, "service": "notifier"}))


def test_of_many_partitions_a_person_is_shown_some():
    owner = an_owner("analytics-a", 5_000, said_ms=9_500)
    owner["partitions"] = owner["partitions"] * (status.SHOWN + 3)

    assert "and 3 more" in text_of(a_system(owner))


def test_a_service_that_is_being_stopped_counts_as_gone_but_is_shown():
    services = [a_status(name) for name in SERVICES]
    leaving = a_status("analytics", replica="analytics-2", state="stopping", problems=["it stops"])

    with_a_successor = a_system(*services, leaving)
    without_one = a_system(*(s for s in services if s["service"] != "analytics"), leaving)

    assert with_a_successor.is_ready
    assert without_one.missing == ["analytics"]
    assert "stopping" in text_of(with_a_successor)
