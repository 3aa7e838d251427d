"""`runstep show` and `runstep bench`: look into a model and time it, without writing a program."""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

import runstep as tf

_HINT = """runstep {version} on Python {python}, numpy {numpy}
devices: {devices}

  runstep show MODEL.pb              what goes in, what comes out, which ops, and which of them are unknown
  runstep bench MODEL.pb             how long a step takes, and where the time goes
  python -c "import runstep as tf"   the library: every name is TensorFlow 1's
"""


def main(arguments: list[str] | None = None) -> None:
    """Runs the command that the arguments name; `SystemExit` with a message for what cannot be done."""
    parser = argparse.ArgumentParser(prog="runstep", description="Looks into frozen graphs and SavedModels.")
    commands = parser.add_subparsers(dest="command")
    show = commands.add_parser("show", help="signatures, or inputs and outputs, and ops of a model")
    bench = commands.add_parser("bench", help="time a model")
    for command in (show, bench):
        command.add_argument("model", type=Path, help="a frozen graph (.pb) or the folder of a SavedModel")
    bench.add_argument(
        "--outputs",
        nargs="*",
        default=None,
        help="names to fetch (default: the signature's, or what nothing else reads)",
    )
    bench.add_argument("--batch", type=int, default=1, help="length of dimensions that the graph leaves open (1)")
    bench.add_argument("--feeds", type=Path, help="an .npz of values by tensor name, in place of random ones")
    bench.add_argument("--time", type=float, default=3.0, help="seconds to run (3)")
    bench.add_argument("--api", choices=("sync", "async"), default="sync", help="`run`, or awaited `arun`s")
    bench.add_argument("--concurrency", type=int, default=4, help="awaited runs at once (4)")
    bench.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args(arguments)
    if options.command is None:
        session = tf.Session(graph=tf.Graph())
        devices = ", ".join(f"{d.name} ({d.memory_limit / 1e9:.1f} GB)" for d in session.list_devices())
        print(
            _HINT.format(version=tf.__version__, python=sys.version.split()[0], numpy=np.__version__, devices=devices),
            end="",
        )
    elif options.command == "show":
        _show(*_load(options.model))
    else:
        _bench(*_load(options.model), options)


def _load(path: Path) -> tuple[Any, dict[str, Any]]:
    """A session on the model, its variables restored; and the signatures (SignatureDef messages) of a SavedModel."""
    graph = tf.Graph()
    session = tf.Session(graph=graph)
    signatures: dict[str, Any] = {}
    try:
        with graph.as_default():
            if path.is_dir():
                from runstep.saved_model import loader, tag_constants

                meta_graph = loader.load(session, [tag_constants.SERVING], str(path))
                signatures = dict(sorted(meta_graph.signature_def.items()))
            else:
                tf.import_graph_def(path.read_bytes(), name="")
    except (OSError, tf.errors.OpError, ValueError) as error:
        sys.exit(f"Cannot load {path}: {error}")
    return session, signatures


def _inputs(graph: Any) -> list[Any]:
    return [op.outputs[0] for op in graph.get_operations() if op.type in ("Placeholder", "PlaceholderV2")]


def _outputs(graph: Any) -> list[Any]:
    """The tensors that nothing reads, of nodes that read something."""
    read = {tensor for op in graph.get_operations() for tensor in op.inputs}
    return [
        tensor
        for op in graph.get_operations()
        if op.inputs and not any(output in read for output in op.outputs)
        for tensor in op.outputs[:1]
        if tensor.dtype.name not in ("resource", "variant")
    ]


def _default(graph: Any, signatures: dict[str, Any]) -> tuple[list[Any], list[Any]]:
    """What goes in and what comes out: as the default signature says, or else as the graph looks."""
    chosen = signatures.get("serving_default") or next(iter(signatures.values()), None)
    if chosen is None:
        return _inputs(graph), _outputs(graph)
    found = [[graph.get_tensor_by_name(info.name) for info in _plain(side).values()] for side in _sides(chosen)]
    return found[0], found[1]


def _sides(signature: Any) -> tuple[Any, Any]:
    return signature.inputs, signature.outputs


def _plain(infos: Any) -> dict[str, Any]:
    """Of the TensorInfos of a signature those that are one tensor, by key."""
    return {key: infos[key] for key in sorted(infos) if infos[key].name}


def _show(session: Any, signatures: dict[str, Any]) -> None:
    from runstep.ops import registry

    graph = session.graph
    for name, signature in signatures.items():
        if not name.startswith("__"):
            print(f"signature {name} ({signature.method_name or 'no method'}):")
            for title, infos in zip(("in ", "out"), _sides(signature), strict=True):
                for key, info in _plain(infos).items():
                    tensor = graph.get_tensor_by_name(info.name)
                    print(f"  {title} {key}: {tensor.name}  {tensor.dtype.name}  {tensor.shape}")
    if not signatures:
        for title, tensors in (("inputs", _inputs(graph)), ("outputs", _outputs(graph))):
            print(f"{title}:")
            for tensor in tensors:
                print(f"  {tensor.name}  {tensor.dtype.name}  {tensor.shape}")
    counts = Counter(op.type for op in graph.get_operations())
    print(f"ops: {sum(counts.values())} nodes of {len(counts)} types")
    registry.get("NoOp")
    known = set(registry.names())
    for kind, count in counts.most_common():
        print(f"  {count:6}  {kind}{'' if kind in known else '   UNKNOWN: steps that need it are refused'}")


def _value(tensor: Any, batch: int) -> np.ndarray:
    shape = [batch if size is None else size for size in (tensor.raw_shape or ())]
    kind = tensor.dtype.np
    if kind.hasobject:
        return np.full(shape, b"text", object)
    rng = np.random.default_rng(0)
    return (rng.random(shape) if kind.kind in "fc" else rng.integers(0, 2, shape)).astype(kind)


def _bench(session: Any, signatures: dict[str, Any], options: Any) -> None:
    graph = session.graph
    inputs, outputs = _default(graph, signatures)
    fetches = options.outputs or [tensor.name for tensor in outputs]
    if not fetches:
        sys.exit("Nothing to fetch: name it with --outputs.")
    if options.feeds is not None:
        with np.load(options.feeds, allow_pickle=False) as file:
            feeds = {name.removeprefix("in:"): file[name] for name in file if not name.startswith("out:")}
    else:
        feeds = {tensor.name: _value(tensor, options.batch) for tensor in inputs}
    try:
        start = time.perf_counter()
        session.run(fetches, feeds)
        first = time.perf_counter() - start
        seconds, whole = (_timed if options.api == "sync" else _awaited)(session, fetches, feeds, options)
        found = session.profile(fetches, feeds, steps=10)
    except (tf.errors.OpError, TypeError, ValueError) as error:
        sys.exit(f"Cannot run it: {error}")
    ordered = sorted(seconds)
    figures = {
        "steps": len(ordered),
        "first_ms": first * 1e3,
        "median_ms": statistics.median(ordered) * 1e3,
        "p90_ms": ordered[int(0.9 * (len(ordered) - 1))] * 1e3,
        "p99_ms": ordered[int(0.99 * (len(ordered) - 1))] * 1e3,
        "steps_per_second": len(ordered) / whole,
    }
    print("  ".join(f"{name} {value:.6g}" for name, value in figures.items()))
    print(found.table(by_type=True))
    if options.json is not None:
        options.json.write_text(json.dumps(figures, indent=1) + "\n")


def _timed(session: Any, fetches: Any, feeds: Any, options: Any) -> tuple[list[float], float]:
    found: list[float] = []
    begun = time.perf_counter()
    while not found or time.perf_counter() - begun < options.time:
        start = time.perf_counter()
        session.run(fetches, feeds)
        found.append(time.perf_counter() - start)
    return found, time.perf_counter() - begun


def _awaited(session: Any, fetches: Any, feeds: Any, options: Any) -> tuple[list[float], float]:
    import trio

    found: list[float] = []

    async def work(until: float) -> None:
        while not found or time.perf_counter() < until:
            start = time.perf_counter()
            await session.arun(fetches, feeds)
            found.append(time.perf_counter() - start)

    async def all_() -> float:
        begun = time.perf_counter()
        async with trio.open_nursery() as nursery:
            for _ in range(options.concurrency):
                nursery.start_soon(work, begun + options.time)
        return time.perf_counter() - begun

    return found, trio.run(all_)
