"""What a session gets of the machine: the memory of its devices, and the threads of its steps."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from runstep import errors
from runstep.actors.pool import Pool, cores, shared
from runstep.graph import device as names
from runstep.memory import parse_size

_CGROUP = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
_UNKNOWN = 8 << 30


def machine_memory() -> int:
    """Bytes of memory that this process may use: the machine's, or what its container is allowed."""
    try:
        found = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        found = _UNKNOWN
    for path in _CGROUP:
        try:
            with open(path) as file:
                text = file.read().strip()
        except OSError:
            continue
        if text.isdigit() and int(text) > 0:
            found = min(found, int(text))
    return found


def limits(wanted: Any, devices: Sequence[str]) -> list[int]:
    """The memory limit of each device, in bytes.

    Args:
      wanted: None for an equal share of the machine's; a size for each of them; or a dict of sizes by device name
        ("/cpu:0"). A size is a number of bytes or a text such as "2GiB".

    Raises:
      TypeError, ValueError: a size is none. InvalidArgumentError: there is no such device.
    """
    share = machine_memory() // len(devices)
    if wanted is None:
        return [share] * len(devices)
    if not isinstance(wanted, Mapping):
        return [parse_size(wanted)] * len(devices)
    found = [share] * len(devices)
    for name, size in wanted.items():
        asked = names.parse(name)
        chosen = [
            position
            for position, device in enumerate(devices)
            if all(
                getattr(asked, part) is None or getattr(asked, part) == getattr(names.parse(device), part)
                for part in ("job", "replica", "task", "device_type", "device_index")
            )
        ]
        if not chosen:
            raise errors.InvalidArgumentError(
                None, None, f"memory_limit names {name!r}, but the devices of the session are {', '.join(devices)}."
            )
        for position in chosen:
            found[position] = parse_size(size)
    return found


def pools(config: Any) -> list[Pool | None]:
    """The thread pools of a session, as the ConfigProto says; None stands for the caller's own thread.

    RunOptions.inter_op_thread_pool chooses among them. Sessions that say nothing share one pool, of as many threads as
    there are cores; a pool is also shared by those that give it the same global_name, and then has the size that the
    first one asked for.
    """
    threads = 0 if config is None else config.inter_op_parallelism_threads
    if threads < 0:
        return [None]
    size = threads or cores()
    asked = [] if config is None else list(config.session_inter_op_thread_pool)
    if asked:
        found: list[Pool | None] = []
        for number, pool in enumerate(asked):
            count = pool.num_threads or size
            if pool.global_name:
                found.append(shared(pool.global_name, count))
            else:
                found.append(Pool(count, f"runstep pool {number}"))
        return found
    if config is not None and (config.use_per_session_threads or threads):
        return [Pool(size, "runstep session")]
    return [shared("", size)]


def close_own(found: Sequence[Pool | None]) -> None:
    """Ends the threads of those pools that no other session has."""
    for pool in found:
        if pool is not None and not pool.is_shared:
            pool.close()
