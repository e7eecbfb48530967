"""The cases' rows as columns of ``oimon.core``, and back."""

import math

import numpy as np


def column(values):
    return np.array([math.nan if value is None else value for value in values], np.float64)


def sides(rows, name):
    """Return a two-sided column of rows like {"strike": 1, "ce_oi": 2, "pe_oi": 3}."""
    return np.stack([column(row.get(f"{side}_{name}") for row in rows) for side in ("ce", "pe")])


def legs(rows, name):
    """Return a two-sided column of rows like {"strike": 1, "ce": {"oi": 2}, "pe": None}."""
    return np.stack(
        [column((row.get(side) or {}).get(name) for row in rows) for side in ("ce", "pe")]
    )


def strikes(rows):
    return column(row["strike"] for row in rows)


def plain(value):
    return None if value is None or math.isnan(value) else float(value)


def pairs(levels):
    return [list(level) for level in levels]
