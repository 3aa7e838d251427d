"""The checked-in code is what the compiler makes of the .proto files."""

from pathlib import Path

import pytest

from runstep.protos import regenerate


@pytest.mark.network
def test_checked_in_code_is_current(capfd: pytest.CaptureFixture[str]) -> None:
    """Needs pip and a package index; where there is none, the reason shows what pip said."""
    status = regenerate.main(["--check"])
    out, err = capfd.readouterr()
    if status == 2:
        pytest.skip(err)
    assert status == 0, out + err


def test_every_proto_has_its_code() -> None:
    stems = {path.stem for path in regenerate.PROTOS.glob("*.proto")}
    assert set(regenerate.generated(regenerate.PROTOS)) == {f"{s}_pb2{end}" for s in stems for end in (".py", ".pyi")}


def test_stale_missing_and_left_over_files_are_differences() -> None:
    new = {"a_pb2.py": "one\n", "b_pb2.py": "two\n"}
    assert regenerate.difference(new, dict(new)) == ""
    assert "+one" in regenerate.difference({"a_pb2.py": "old\n", "b_pb2.py": "two\n"}, new)
    assert "+two" in regenerate.difference({"a_pb2.py": "one\n"}, new)
    assert "-three" in regenerate.difference({**new, "c_pb2.py": "three\n"}, new)


def test_check_reports_a_difference(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """`--check` fails on a changed file and leaves it alone, without the compiler's help."""
    before = regenerate.generated(regenerate.PROTOS)

    def compile_changed(python: Path, out: Path) -> None:
        for name, text in before.items():
            (out / "runstep" / "protos" / name).write_text(text, encoding="utf-8")
        (out / "runstep" / "protos" / "graph_pb2.py").write_text("changed\n", encoding="utf-8")

    monkeypatch.setattr(regenerate, "install_compiler", lambda where: where)
    monkeypatch.setattr(regenerate, "compile_protos", compile_changed)
    assert regenerate.main(["--check"]) == 1
    assert "+changed" in capsys.readouterr().out
    assert regenerate.generated(regenerate.PROTOS) == before


def test_no_compiler_is_told_apart(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def refuse(where: Path) -> Path:
        raise regenerate.CompilerUnavailableError("no index")

    monkeypatch.setattr(regenerate, "install_compiler", refuse)
    assert regenerate.main(["--check"]) == 2
    assert "no index" in capsys.readouterr().err
