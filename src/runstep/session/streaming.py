"""`session.stream`: one step for each item of a source, several in flight, results in order.

A stream is an iterator, so no nursery may stay open while its consumer has the floor. What pulls the source and runs
the steps is therefore a task beside the consumer's: a system task under trio, a task under asyncio. It ends with the
stream, however that ends, and no error leaves it but through the iterator.
"""

from __future__ import annotations

import contextvars
from collections import deque
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable, Mapping
from typing import Any

from runstep.session.awaitable import checkpoint, in_trio

Start = Callable[..., object]


_NO_MORE = object()


class _Place:
    """The place of one result in the order of results; a source that fails has one too."""

    __slots__ = ("done", "error", "value")

    def __init__(self) -> None:
        self.done = False
        self.value: Any = None
        self.error: BaseException | None = None


class Stream:
    """What `session.stream` returns: iterate over it with `async for`, once.

    To end it before its source does, leave `async with session.stream(...) as results:` or call `aclose`; when the
    iterator is garbage, it ends as well.
    """

    def __init__(self, session: Any, fetches: Any, feeds: Any, limit: int, key: Any) -> None:
        async def step(item: Any) -> Any:
            return await session.arun(fetches, _fed(item, key))

        self._step = step
        self._feeds = feeds
        self._room = limit
        self._places: deque[_Place] = deque()
        self._ended = False  # nothing comes after what is in `_places`
        self._host: _TrioHost | _AsyncioHost | None = None
        self._bell: Any = None  # what the consumer, or the task beside it, waits for
        self._door: Any = None

    def __aiter__(self) -> Stream:
        return self

    async def __anext__(self) -> Any:
        if self._host is None:
            self._host = _TrioHost() if in_trio() else _AsyncioHost()
            if not self._ended:
                self._host.begin(_Pump(self).run)
        try:
            await checkpoint()
            while not (self._places and self._places[0].done):
                if self._ended and not self._places:
                    await self.aclose()
                    raise StopAsyncIteration
                self._bell = self._host.event()
                await self._bell.wait()
        except BaseException:
            await self.aclose()
            raise
        place = self._places.popleft()
        if place.error is not None:
            await self.aclose()
            raise place.error
        self._room += 1
        _ring(self._door)
        return place.value

    async def aclose(self) -> None:
        """Ends the steps in flight and looks at the source no more; returns when they have ended. Twice is fine."""
        self._ended = True
        if self._host is not None:
            await self._host.end()
        self._places.clear()

    async def __aenter__(self) -> Stream:
        return self

    async def __aexit__(self, *exc: Any) -> None:
        await self.aclose()

    def __del__(self) -> None:
        if self._host is not None:
            self._host.drop()


class _Pump:
    """The task beside the consumer. It holds the parts of a stream, not the stream, whose end it must not hinder."""

    def __init__(self, stream: Stream) -> None:
        import weakref

        self._stream = weakref.ref(stream)
        self._feeds = stream._feeds
        self._step = stream._step
        self._event = stream._host.event  # type: ignore[union-attr]

    async def run(self, start: Start) -> None:
        """Pulls the source whenever there is room, and starts a step for what comes."""
        try:
            pull = _puller(self._feeds)
            while await self._have_room():
                try:
                    item = await pull()
                except StopAsyncIteration:
                    break
                place = self._append()
                if place is None:
                    return
                start(self._settle, place, item)
        except Exception as error:
            self._fail(error)
        self._end()

    async def _have_room(self) -> bool:
        """Waits for room; False when nothing more is to be started."""
        while True:
            stream = self._stream()
            if stream is None or stream._ended:
                return False
            if stream._room:
                stream._room -= 1
                return True
            door = stream._door = self._event()
            del stream
            await door.wait()

    def _append(self) -> _Place | None:
        stream = self._stream()
        if stream is None or stream._ended:
            return None
        place = _Place()
        stream._places.append(place)
        return place

    async def _settle(self, place: _Place, item: Any) -> None:
        try:
            place.value = await self._step(item)
        except BaseException as error:
            if _is_cancellation(error):
                raise
            place.error = error
            self._end()  # what comes before is still delivered; nothing new is begun
        place.done = True
        self._ring()

    def _fail(self, error: Exception) -> None:
        place = self._append()
        if place is not None:
            place.error, place.done = error, True

    def _end(self) -> None:
        stream = self._stream()
        if stream is not None:
            stream._ended = True
            _ring(stream._door)
            _ring(stream._bell)

    def _ring(self) -> None:
        stream = self._stream()
        if stream is not None:
            _ring(stream._bell)


def _ring(event: Any) -> None:
    if event is not None:
        event.set()


def _fed(item: Any, key: Any) -> Any:
    if key is not None:
        return {key: item}
    if item is not None and not isinstance(item, Mapping):
        raise TypeError(
            f"Each item of `feeds` is a feed_dict, but got one of type {type(item).__name__}: {item!r:.60}. For plain "
            "values, say with `key` what they are fed to."
        )
    return item


def _puller(feeds: AsyncIterable[Any] | Iterable[Any]) -> Callable[[], Awaitable[Any]]:
    """What gives the next item. The source stays its owner's: it is not closed."""
    if isinstance(feeds, AsyncIterable):
        return feeds.__aiter__().__anext__
    source = iter(feeds)

    async def pull() -> Any:
        item = next(source, _NO_MORE)
        if item is _NO_MORE:
            raise StopAsyncIteration
        return item

    return pull


def check_source(feeds: Any) -> None:
    """Raises TypeError when `feeds` can't be iterated over, or is one feed_dict."""
    if isinstance(feeds, Mapping):
        raise TypeError("`feeds` is an iterable of feed_dicts, one for each step, but got a single one.")
    if not isinstance(feeds, AsyncIterable):
        iter(feeds)


def _is_cancellation(error: BaseException) -> bool:
    if in_trio():
        import trio

        return isinstance(error, trio.Cancelled)
    import asyncio

    return isinstance(error, asyncio.CancelledError)


class _TrioHost:
    """Runs a task and those that it starts in the trio loop of the consumer."""

    def __init__(self) -> None:
        import trio

        self.event = trio.Event
        self._token = trio.lowlevel.current_trio_token()
        self._scope = trio.CancelScope()
        self._over: Any = None

    def begin(self, main: Callable[[Start], Awaitable[None]]) -> None:
        import trio

        over = self._over = trio.Event()
        scope = self._scope

        async def run() -> None:
            try:
                with scope:
                    async with trio.open_nursery() as nursery:
                        await main(nursery.start_soon)
            finally:
                over.set()

        trio.lowlevel.spawn_system_task(run, name="runstep stream", context=contextvars.copy_context())

    async def end(self) -> None:
        import trio

        self._scope.cancel()
        if self._over is not None and not self._over.is_set():
            with trio.CancelScope(shield=True):
                await self._over.wait()

    def drop(self) -> None:
        import trio

        if self._over is not None and not self._over.is_set():
            try:
                self._token.run_sync_soon(self._scope.cancel)
            except trio.RunFinishedError:
                pass


class _AsyncioHost:
    """The same in an asyncio loop."""

    def __init__(self) -> None:
        import asyncio

        self.event = asyncio.Event
        self._loop = asyncio.get_running_loop()
        self._task: Any = None

    def begin(self, main: Callable[[Start], Awaitable[None]]) -> None:
        import asyncio

        async def run() -> None:
            async with asyncio.TaskGroup() as group:
                await main(lambda function, *args: group.create_task(function(*args)))

        self._task = asyncio.create_task(run(), name="runstep stream")

    async def end(self) -> None:
        import asyncio

        if self._task is None:
            return
        self._task.cancel()
        cancelled = None
        while not self._task.done():
            try:
                await asyncio.wait([self._task])
            except asyncio.CancelledError as error:
                cancelled = error
        if cancelled is not None:
            raise cancelled

    def drop(self) -> None:
        if self._task is not None and not self._task.done() and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._task.cancel)
