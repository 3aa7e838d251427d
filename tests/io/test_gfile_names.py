"""`tf.io.gfile` does with files what TensorFlow's does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import runstep


def test_files_and_folders(same: Callable[..., None], tmp_path: Path) -> None:
    counts = iter(range(9))

    def program(tf: Any, log: Any) -> None:
        g = tf.io.gfile
        root = g.join(str(tmp_path), str(next(counts)))
        here = g.join(root, "a", "b")

        def within(path: str) -> str:
            return path.removeprefix(root)

        g.makedirs(here)
        g.mkdir(g.join(root, "c"))
        with g.GFile(g.join(here, "x"), "w") as file:
            file.write("text")
        g.copy(g.join(here, "x"), g.join(root, "y"))
        log.tried(lambda: g.copy(g.join(here, "x"), g.join(root, "y")))
        g.copy(g.join(here, "x"), g.join(root, "y"), overwrite=True)
        g.rename(g.join(root, "y"), g.join(root, "z"))
        log([g.exists(g.join(root, name)) for name in ("y", "z", "a")], [g.isdir(g.join(root, name)) for name in "za"])
        log(sorted(name.rstrip("/") for name in g.listdir(root)), g.stat(g.join(root, "z")).length)
        log(sorted(map(within, g.glob(g.join(root, "*")))))
        for topdown in (True, False):
            log([(within(top), sorted(folders), files) for top, folders, files in g.walk(root, topdown)])
        log(list(g.walk(g.join(root, "none"))))
        g.remove(g.join(root, "z"))
        g.rmtree(g.join(root, "a"))
        log(sorted(name.rstrip("/") for name in g.listdir(root)))
        for build in (g.remove, g.stat, g.listdir, g.rmtree):
            log.tried(lambda: build(g.join(root, "none")))

    same(program, graph=False, texts=False)


def test_walk_tells_what_it_could_not_read(tmp_path: Path) -> None:
    """TensorFlow fails in its own code when the function that it told returns."""
    seen: list[Any] = []
    assert list(runstep.io.gfile.walk(str(tmp_path / "none"), onerror=seen.append)) == []
    assert [type(error).__name__ for error in seen] == ["NotFoundError"]
