"""Adapters of the direction (section 6 of the specification)."""

from oimon.core.direction import Component, Part, Status, confidence_factor, direction_score
from oimon.core.direction_filter import direction_filter
from oimon.core.futures import futures_score
from oimon.core.skew import skew_score
from oimon.terms import Quality
from tests.spec.columns import pairs


def _direction_score(a):
    parts = {
        Component(name): Part(part["score"], Status(part["status"]))
        for name, part in a["components"].items()
    }
    found = direction_score(parts)
    return {
        "score": found.score,
        "agreement": found.agreement,
        "coverage": found.coverage,
        "confidence": confidence_factor(
            found.score, found.agreement, found.coverage, Quality(a["quality"])
        ),
        "contributions": pairs(found.contributions),
    }


def _direction_filter(a):
    state, labels = None, []
    for at_s, score, agreement, coverage, quality in a["steps"]:
        state = direction_filter(
            state,
            at_s,
            score=score,
            agreement=agreement,
            coverage=coverage,
            quality=Quality(quality),
        )
        labels.append([at_s, state.label, state.smoothed])
    return labels


ADAPTERS = {
    "futures_score": lambda a: futures_score(a["class"], a["basis_now"], a["basis_then"]),
    "skew_score": lambda a: skew_score(a["rr25"], a["ref"]),
    "direction_score": _direction_score,
    "direction_filter": _direction_filter,
}
