"""All rows, in the order of the matrix."""

from tests.chaos.rows import (
    bodies,
    brokers,
    entries,
    links,
    models,
    owners,
    producers,
    servers,
    texts,
)

ROWS = tuple(
    sorted(
        [
            *owners.ROWS,
            *producers.ROWS,
            *links.ROWS,
            *servers.ROWS,
            *entries.ROWS,
            *bodies.ROWS,
            *brokers.ROWS,
            *models.ROWS,
            *texts.ROWS,
        ],
        key=lambda row: row.number,
    )
)
