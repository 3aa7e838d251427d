"""Any graph, any budget, any order of feeding: the values of an unlimited session or a refusal, and nothing is left."""

from __future__ import annotations

import random
import threading
from typing import Any

import numpy as np
import pytest

from runstep import errors
from runstep.protos import config_pb2

KIB = 1 << 10


def grown(rs: Any, dice: random.Random, devices: int) -> tuple[list[Any], list[Any]]:
    """Feeds of open size, the last of them a size itself, and what is made of them."""
    feeds = [rs.placeholder("float32", [None]) for _ in range(dice.randrange(1, 4))]
    size = rs.placeholder("int32", [])

    def halved(x: Any) -> Any:
        return x[: rs.maximum(rs.size(x) // 2, 1)]

    def added(x: Any) -> Any:
        y = dice.choice(values)
        least = rs.minimum(rs.size(x), rs.size(y))
        return x[:least] + y[:least]

    def called(x: Any) -> Any:
        return rs.function(lambda x: rs.cumsum(rs.tile(x, [2])))(x)

    kinds = [
        rs.cumsum,
        halved,
        added,
        called,
        lambda x: rs.tile(x, [dice.randrange(1, 4)]),
        lambda x: rs.fill([size * dice.randrange(1, 4)], rs.reduce_max(x)),
        lambda x: rs.cast(rs.where(x > rs.reduce_mean(x) - 1e-3)[:, 0], rs.float32) * 1e-3 + rs.reduce_mean(x),
        lambda x: rs.while_loop(lambda i, s: i < 3, lambda i, s: (i + 1, rs.sin(s)), [0, x])[1],
        lambda x: rs.cond(rs.reduce_sum(x) > 0, lambda: rs.cumsum(x), lambda: x * 2.0),
    ]
    values = list(feeds)
    for _ in range(dice.randrange(4, 12)):
        with rs.device(f"/cpu:{dice.randrange(devices)}"):
            values.append(dice.choice(kinds)(dice.choice(values)))
    made = values[len(feeds) :]
    ends = dice.sample(made, min(len(made), dice.randrange(1, 5)))
    return [*feeds, size], [rs.reduce_mean(end) if dice.random() < 0.7 else end for end in ends]


def in_pieces(session: Any, feeds: dict[Any, Any], ends: list[Any], dice: random.Random) -> list[Any]:
    """The ends of a partial run that is fed in any order, forked under way, and maybe left there: then none."""
    handle = session.partial_run_setup(ends, list(feeds))
    for feed in dice.sample(list(feeds), len(feeds)):
        session.partial_run(handle, [], {feed: feeds[feed]})
        if dice.random() < 0.2:
            handle = handle.fork()
        if dice.random() < 0.1:
            return []
    return [session.partial_run(handle, end) for end in ends]


def is_at_rest(session: Any) -> bool:
    """Now, or once the loop thread has let go of what was left."""
    for _ in range(2000):
        found = [device.statistics().memory for device in session._engine.devices]
        if not any(memory.in_use or memory.reserved or memory.waiting for memory in found):
            return True
        threading.Event().wait(0.002)
    return False


@pytest.mark.parametrize("seed", range(6))
def test_any_graph_in_any_budget(rs: Any, seed: int) -> None:
    dice = random.Random(seed)
    devices = 1 + seed % 2
    feeds, ends = grown(rs, dice, devices)
    config = config_pb2.ConfigProto(device_count={"CPU": devices})
    rows = []
    for most in (100, 1 << 12, 1 << 15):
        sizes = [dice.randrange(2, most) for _ in feeds]
        row = {feed: np.full(size, 0.1, np.float32) for feed, size in zip(feeds[:-1], sizes, strict=False)}
        rows.append(row | {feeds[-1]: sizes[-1]})
    with rs.Session(config=config) as free:
        wants = [free.run(ends, row) for row in rows]
    failures: list[Any] = []
    refused: list[Any] = []

    def work(session: Any, dice: random.Random) -> None:
        for row, want in zip(rows, wants, strict=True):
            for whole in (True, False):
                try:
                    found = session.run(ends, row) if whole else in_pieces(session, row, ends, dice)
                    for a, b in zip(found, want, strict=False):
                        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5)
                except errors.ResourceExhaustedError:
                    refused.append(session)
                except BaseException as error:
                    failures.append(error)

    for limit in (64 * KIB, 512 * KIB, 1 << 30):
        with rs.Session(config=config, memory_limit=limit) as session:
            threads = [threading.Thread(target=work, args=(session, random.Random(seed + n))) for n in range(3)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(60)
            assert not any(thread.is_alive() for thread in threads), session.debug_dump()
            assert not failures and is_at_rest(session)
            assert limit < 1 << 30 or session not in refused
