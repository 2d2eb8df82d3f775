"""Setting up: nothing is done twice, hashes are asked for, failures end in one clear line."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tools import setup, steps
from tools.fetch_uv import locked_lines, pip_setting, uv_environment
from tools.pythons import probe
from tools.steps import Progress, SetupRefusedError, run_step
from tools.workspace import Workspace, one_at_a_time

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def clone(tmp_path: Path) -> Workspace:
    """A clone with its inputs and a `.venv` whose Python is the one running this test."""
    (tmp_path / "tools").mkdir()
    for name in ("requirements.lock", "pyproject.toml", "tools/setup.py"):
        (tmp_path / name).write_text(f"{name} v1\n")
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "python").symlink_to(sys.executable)
    return Workspace(tmp_path, Progress())


def stamped(work: Workspace) -> Workspace:
    python = probe(work.python)
    assert python is not None
    work.write_stamp(python)
    return work


def test_a_stamp_of_the_same_inputs_means_nothing_to_do(
    clone: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    assert not clone.is_current(None)
    setup.set_up(stamped(clone), None)
    assert capsys.readouterr().out.endswith("nothing changed\n")


@pytest.mark.parametrize("changed", ["requirements.lock", "pyproject.toml", "tools/setup.py"])
def test_a_changed_input_ends_the_stamp(clone: Workspace, changed: str) -> None:
    stamped(clone)
    assert clone.is_current(None)
    (clone.root / changed).write_text("v2\n")
    assert not clone.is_current(None)


def test_a_python_that_changed_or_is_not_the_wanted_one_ends_the_stamp(clone: Workspace) -> None:
    stamped(clone)
    assert clone.is_current(f"3.{sys.version_info[1]}")
    assert not clone.is_current("3.99")
    stamp = json.loads(clone.stamp.read_text())
    clone.stamp.write_text(json.dumps({**stamp, "python": "3.12.0"}))
    assert not clone.is_current(None)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"inputs": 1}'])
def test_a_damaged_stamp_is_no_stamp(clone: Workspace, text: str) -> None:
    clone.stamp.write_text(text)
    assert not clone.is_current(None)


def test_a_moved_clone_is_set_up_again(clone: Workspace, tmp_path_factory: pytest.TempPathFactory) -> None:
    stamped(clone)
    moved = tmp_path_factory.mktemp("moved") / "clone"
    shutil.move(clone.root, moved)
    assert not Workspace(moved, Progress()).is_current(None)


def test_uv_is_pinned_and_hashed_in_the_lock() -> None:
    lines = locked_lines((ROOT / "requirements.lock").read_text(), "uv").splitlines()
    assert lines[0].startswith("uv==")
    assert len(lines) > 1
    assert all(line.strip().startswith("--hash=sha256:") for line in lines[1:])


def test_a_lock_without_uv_is_refused() -> None:
    with pytest.raises(SetupRefusedError, match="pins no uv"):
        locked_lines("uvloop==1 \\\n    --hash=sha256:00\n", "uv")


def test_pips_own_mirror_is_handed_to_uv(clone: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = (
        "global.index-url='https://mirror.example/a'\nglobal.extra-index-url='https://mirror.example/b'\n"
    )
    listed += "global.cert='/etc/ssl/own.pem'\n"
    fake = clone.root / "python"
    fake.write_text(f'#!/bin/sh\n[ "$*" = "-m pip config list" ] && cat <<"END"\n{listed}END\n')
    fake.chmod(0o755)
    for name in ("UV_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX", "UV_CONFIG_FILE", "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)
    env = uv_environment(clone, fake)
    assert env["UV_DEFAULT_INDEX"] == "https://mirror.example/a"
    assert env["SSL_CERT_FILE"] == "/etc/ssl/own.pem"
    assert not [value for value in env.values() if value.endswith("mirror.example/b")]
    monkeypatch.setenv("UV_DEFAULT_INDEX", "https://own.example")
    assert uv_environment(clone, fake)["UV_DEFAULT_INDEX"] == "https://own.example"


def test_pip_settings_rank_the_environment_first() -> None:
    assert pip_setting("global.index-url='a'\ninstall.index-url='b'", "index-url") == "b"
    assert pip_setting("global.extra-index-url='a'", "index-url") is None


class FakeUv:
    """A uv that notes what it is asked and fails where told to."""

    def __init__(self, work: Workspace, fails: str = "", message: str = "") -> None:
        self.notes = work.root / "asked"
        self.path = work.root / "uv"
        self.path.write_text(
            "#!/bin/sh\n"
            f'echo "$@" >> {self.notes}\n'
            f'case "$*" in *{fails or "nothing-fails"}*) echo "{message}" >&2; exit 2;; esac\n'
        )
        self.path.chmod(0o755)

    def asked(self) -> list[str]:
        return self.notes.read_text().splitlines()


def test_installing_asks_for_hashes_and_adds_the_project_without_dependencies(clone: Workspace) -> None:
    uv = FakeUv(clone)
    setup.install_locked(clone, uv.path, Path(sys.executable), dict(os.environ))
    sync, own = uv.asked()
    assert sync.startswith("pip sync")
    assert "--require-hashes" in sync
    assert "--no-deps" in own
    assert "--no-build-isolation" in own
    assert own.endswith("--editable .")


def test_where_uv_fails_pip_has_the_last_word(clone: Workspace, capfd: pytest.CaptureFixture[str]) -> None:
    uv = FakeUv(clone, fails="sync", message="error: Failed to fetch")
    pip = clone.root / "bootstrap-python"
    pip.write_text(f'#!/bin/sh\necho "PIP $@" >> {uv.notes}\n')
    pip.chmod(0o755)
    setup.install_locked(clone, uv.path, pip, dict(os.environ))
    assert any(line.startswith("PIP -m pip") and "--require-hashes" in line for line in uv.asked())
    assert "once more with pip" in capfd.readouterr().out


def test_a_python_without_ready_made_packages_gives_way_to_an_older_one(
    clone: Workspace, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    older = probe(clone.python)
    assert older is not None
    newer = older._replace(version=(3, 99, 0), path=clone.root / "newest")
    monkeypatch.setattr(setup, "candidates", lambda env, wanted: [newer, older])
    clone.python.unlink()
    uv = FakeUv(clone)
    # The first sync fails for want of a wheel; the second goes through.
    uv.path.write_text(
        f'#!/bin/sh\necho "$@" >> {uv.notes}\n'
        f'case "$*" in "pip sync"*) if [ ! -e {clone.root}/once ]; then touch {clone.root}/once;'
        ' echo "numba has no usable wheels" >&2; exit 1; fi;; esac\n'
    )
    made = setup.make_venv(clone, uv.path, Path(sys.executable), None, dict(os.environ))
    assert made == older
    assert "lacks a ready-made package; trying an older one" in capfd.readouterr().out


def test_no_python_and_no_download_end_in_one_line_of_advice(
    clone: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(setup, "candidates", lambda env, wanted: [])
    clone.python.unlink()
    uv = FakeUv(clone, fails="--managed-python", message="error: offline")
    with pytest.raises(SetupRefusedError) as refused:
        setup.make_venv(clone, uv.path, Path(sys.executable), None, dict(os.environ))
    assert (
        str(refused.value)
        .splitlines()[-1]
        .startswith("no Python 3.12 or newer starts here and none could be")
    )


def test_a_failed_step_shows_its_last_words(clone: Workspace) -> None:
    with pytest.raises(SetupRefusedError, match=r"(?s)the disk is full.*copying failed \(exit status 3\)"):
        clone.run(["sh", "-c", "echo the disk is full; exit 3"], "copying")


def test_a_long_step_says_that_it_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(steps, "HEARTBEAT_S", 0.01)
    waits = f"while [ ! -e {tmp_path}/go ]; do :; done"

    class Watched(Progress):
        def say(self, text: str) -> None:
            super().say(text)
            (tmp_path / "go").touch()

    run_step(["sh", "-c", waits], "installing", log_file=tmp_path / "log", progress=Watched(), cwd=tmp_path)
    assert "still installing" in capsys.readouterr().out


def test_two_setups_take_turns(clone: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    holder = (
        "import sys; from pathlib import Path; from tools.workspace import one_at_a_time; "
        "from tools.steps import Progress\n"
        f"with one_at_a_time(Path({str(clone.cache)!r}), Progress()):\n"
        "    print('held', flush=True); sys.stdin.readline()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", holder], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"

        class LetsGo(Progress):
            def say(self, text: str) -> None:
                super().say(text)
                assert other.stdin is not None
                other.stdin.write("\n")
                other.stdin.flush()

        with one_at_a_time(clone.cache, LetsGo()):
            pass
    assert "another setup is running" in capsys.readouterr().out


def test_the_shell_part_says_in_one_line_that_there_is_no_python(tmp_path: Path) -> None:
    script = (ROOT / "tools" / "setup").read_text().replace("/usr/bin/python3 /usr/local/bin/python3", "")
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools" / "setup").write_text(script)
    bare = tmp_path / "bin"
    bare.mkdir()
    for name in ("dirname",):
        found = shutil.which(name)
        assert found is not None
        (bare / name).symlink_to(found)
    run = ["/bin/sh", str(tmp_path / "tools" / "setup")]
    env = {"PATH": str(bare), "HOME": str(tmp_path)}
    done = subprocess.run(run, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("setup: no Python found; install Python 3.12 or newer")
    assert done.stderr.count("\n") == 1
    (bare / "python3").write_text("#!/bin/sh\nexit 127\n")
    (bare / "python3").chmod(0o755)
    done = subprocess.run(run, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "tried: python3)" in done.stderr


def test_a_wrong_version_is_bad_usage() -> None:
    with pytest.raises(SystemExit) as stopped:
        setup.main(["--python", "thirteen"])
    assert stopped.value.code == 2


def test_a_refusal_ends_in_its_own_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(work: Workspace, wanted: str | None) -> None:
        raise SetupRefusedError("what uv said\ninstalling failed (exit status 2)")

    monkeypatch.setattr(setup, "set_up", refuse)
    assert setup.main([]) == 1
    assert capsys.readouterr().err == "  what uv said\nsetup: installing failed (exit status 2)\n"


def test_without_a_home_everything_stays_in_the_clone(
    clone: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(clone.root / "no-home"))
    monkeypatch.delenv("UV_CACHE_DIR", raising=False)
    env = uv_environment(clone, Path(sys.executable))
    assert env["UV_CACHE_DIR"].startswith(str(clone.cache))
    assert env["UV_PYTHON_INSTALL_DIR"].startswith(str(clone.cache))
    monkeypatch.setenv("HOME", str(clone.root))
    assert "UV_CACHE_DIR" not in uv_environment(clone, Path(sys.executable))
