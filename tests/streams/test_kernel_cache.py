import os
import subprocess
import sys
from pathlib import Path

import pytest

from streams.kernel_cache import KEPT, PREFIX, VARIABLE, use_fresh_kernels

CALLEE = "from numba import njit\n@njit(cache=True)\ndef inner():\n    return {value}\n"
CALLER = (
    "from numba import njit\nfrom pack.callee import inner\n"
    "@njit(cache=True)\ndef outer():\n    return inner()\n"
)
RUN = (
    "import sys; from pathlib import Path; sys.path.insert(0, sys.argv[1])\n"
    "from streams.kernel_cache import use_fresh_kernels\n"
    "use_fresh_kernels(Path(sys.argv[1]) / 'pack')\n"
    "from pack.caller import outer; print(outer(), sum(outer.stats.cache_hits.values()))"
)


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package with two kernels, one calling the other, and no cache folder set."""
    monkeypatch.setenv(VARIABLE, "")
    monkeypatch.setitem(sys.modules, "numba", None)  # this process's own cache stays where it is
    monkeypatch.delitem(sys.modules, "numba")
    folder = tmp_path / "pack"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "callee.py").write_text(CALLEE.format(value=1))
    (folder / "caller.py").write_text(CALLER)
    return folder


def answer_and_cache_hits(package: Path) -> list[str]:
    command = [sys.executable, "-B", "-c", RUN, str(package.parent)]  # no stale bytecode
    done = subprocess.run(  # noqa: S603 - this interpreter, and a program that stands above
        command, capture_output=True, text=True, check=True
    )
    return done.stdout.split()


@pytest.mark.slow
def test_a_kernel_is_compiled_anew_when_a_function_in_another_file_has_changed(
    package: Path,
) -> None:
    assert answer_and_cache_hits(package) == ["1", "0"]
    assert answer_and_cache_hits(package) == ["1", "1"]
    callee = package / "callee.py"
    before = callee.stat()
    callee.write_text(CALLEE.format(value=2))
    os.utime(callee, ns=(before.st_atime_ns, before.st_mtime_ns))  # as an installer may leave it
    assert answer_and_cache_hits(package) == ["2", "0"]


def test_the_folder_depends_on_every_source_and_on_nothing_else(package: Path) -> None:
    first = use_fresh_kernels(package)
    (package / "notes.txt").write_text("no source")
    assert use_fresh_kernels(package) == first
    (package / "deeper").mkdir()
    (package / "deeper" / "new.py").write_text("")
    second = use_fresh_kernels(package)
    (package / "deeper" / "new.py").rename(package / "deeper" / "renamed.py")
    assert len({first, second, use_fresh_kernels(package)}) == 3


def test_a_child_process_uses_the_folder_of_its_parent(package: Path) -> None:
    folder = use_fresh_kernels(package)
    assert os.environ[VARIABLE] == str(folder)
    assert use_fresh_kernels(package) == folder
    assert folder.parent == package / "__pycache__"


def test_a_folder_that_the_user_chose_is_where_kernels_go(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "chosen"))
    assert use_fresh_kernels(package).parent == tmp_path / "chosen"


def test_where_nothing_can_be_written_beside_the_source_the_users_caches_serve(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (package / "__pycache__").write_text("a file where the folder would go")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    assert use_fresh_kernels(package).parent == tmp_path / "caches" / "roguekey"
    (tmp_path / "caches" / "roguekey").rename(tmp_path / "moved")
    (tmp_path / "caches" / "roguekey").write_text("here neither")
    own = use_fresh_kernels(package)
    assert own.name.startswith(PREFIX)
    assert own.is_dir()
    own.rmdir()


def test_only_the_folders_used_last_are_kept(package: Path) -> None:
    folders = []
    for version in range(KEPT + 2):
        (package / "callee.py").write_text(CALLEE.format(value=version))
        folders.append(use_fresh_kernels(package))
        os.utime(folders[-1], (version, version))
    assert [folder.exists() for folder in folders] == [False, False] + [True] * KEPT
