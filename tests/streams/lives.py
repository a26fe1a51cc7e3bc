"""Workers that live and die quickly: one process loads everything, each worker is a fork of it.

`python -m tests.streams.lives MODEL` reads a JSON object per line and answers it with a line;
`Lives` is its other end.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, Self

from streams.kernel_cache import use_fresh_kernels
from tests.patience import wait_until

MOMENTS: Final = (  # at whose beginning or end a worker may die
    ("streams.worker.changelog", "Changelog", "read"),
    ("streams.worker.changelog", "Changelog", "write"),
    ("streams.worker.keeper", "Keeper", "_on_assigned"),
    ("streams.worker.keeper", "Keeper", "_on_revoked"),
    ("streams.worker.keeper", "Keeper", "_acknowledge"),
    ("streams.worker.transport", "Consumer", "commit_now"),
    ("streams.worker.worker", "Worker", "_observe"),
    ("streams.worker.worker", "Worker", "_assess"),
    ("streams.worker.worker", "Worker", "_judge"),
)


class Lives:
    """Starts workers and waits for their end."""

    def __init__(self, model: Path, log: Path) -> None:
        self._log = log
        with log.open("wb") as out:
            self._process = subprocess.Popen(  # noqa: S603 - our own program, no shell
                [sys.executable, "-m", "tests.streams.lives", str(model)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=out,
                text=True,
            )
        self._children: set[int] = set()

    def start(
        self, settings: Mapping[str, str], *, dies_at: int = 0, rests_before: str = ""
    ) -> int:
        """Start a worker; gives its process id.

        It kills itself at a moment, counted from 1; it stops before it first does one of MOMENTS.
        """
        life = {"settings": dict(settings), "dies_at": dies_at, "rests_before": rests_before}
        pid = int(self._ask(life))
        self._children.add(pid)
        return pid

    def wait(self, pid: int) -> int:
        """Wait until a worker has ended; gives its exit code, negative for a signal."""
        code = int(self._ask({"wait": pid}))
        self._children.discard(pid)
        return code

    def end(self, pid: int, number: int = signal.SIGTERM) -> tuple[int, float]:
        """Send a signal; gives the exit code, and the seconds that it took."""
        began = time.monotonic()
        os.kill(pid, number)
        return self.wait(pid), time.monotonic() - began

    def until_said(self, pid: int, words: str, times: int = 1) -> None:
        """Wait until a worker has logged a line with these words, so many times."""
        self.until(lambda: sum(words in line for line in self._lines_of(pid)) >= times)

    def until(self, is_so: Callable[[], bool]) -> None:
        """Wait for something that workers bring about."""
        wait_until(is_so, lambda: self.said()[-2000:])

    def _lines_of(self, pid: int) -> list[str]:
        return [line for line in self.said().splitlines() if line.startswith(f"{pid} ")]

    def said(self) -> str:
        """Give what the workers have logged."""
        return self._log.read_text(errors="replace")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for pid in list(self._children):
            os.kill(pid, signal.SIGCONT)
            self.end(pid, signal.SIGKILL)
        self._process.communicate("")

    def _ask(self, question: dict[str, Any]) -> str:
        if self._process.stdin is None or self._process.stdout is None:
            raise RuntimeError("no pipes")
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError(f"the workers' parent has died: {self.said()[-2000:]}")
        return answer


def main(model_dir: Path) -> None:
    """Answer until the other end is closed."""
    use_fresh_kernels()
    from models.score.model import Model  # noqa: PLC0415 - kernels load after their cache is set
    from streams.worker.compiling import compile_kernels  # noqa: PLC0415 - as above

    model = Model.load(model_dir)
    compile_kernels(model)
    for line in sys.stdin:
        question = json.loads(line)
        if "wait" in question:
            _, status = os.waitpid(question["wait"], 0)
            print(os.waitstatus_to_exitcode(status), flush=True)  # noqa: T201 - the answer
            continue
        pid = os.fork()
        if not pid:
            live(model, **question)
        print(pid, flush=True)  # noqa: T201 - the answer


def live(model: Any, settings: dict[str, Any], dies_at: int, rests_before: str) -> None:
    """Be a worker."""
    import logging  # noqa: PLC0415 - in the child alone

    from streams.settings import Settings  # noqa: PLC0415 - as above
    from streams.worker.runtime import run_worker  # noqa: PLC0415 - as above
    from streams.worker.warmup import Stages  # noqa: PLC0415 - as above
    from streams.worker.worker import Worker  # noqa: PLC0415 - as above

    code = 1
    try:
        os.dup2(os.open(os.devnull, os.O_RDWR), 0)
        os.dup2(2, 1)
        logging.basicConfig(format=f"{os.getpid()} %(levelname)s %(name)s %(message)s", force=True)
        logging.getLogger("streams").setLevel(logging.INFO)
        if dies_at:
            _die_at(dies_at)
        if rests_before:
            _rest_before(rests_before)
        known = Settings(**settings)
        worker = Worker(known, known.bootstrap_servers(), Stages(model))
        code = run_worker(worker.app)
    finally:
        os._exit(code)


def _die_at(moment: int) -> None:
    """Let this process be killed at the moment with this number."""
    left = [moment]

    def count(what: str) -> None:
        left[0] -= 1
        if left[0] <= 0:
            os.write(2, f"{os.getpid()} dies {what}\n".encode())
            os.kill(os.getpid(), signal.SIGKILL)

    def deadly(function: Callable[..., Any], name: str) -> Callable[..., Any]:
        async def counted(*args: Any, **kwargs: Any) -> Any:
            count(f"before {name}")
            result = await function(*args, **kwargs)
            count(f"after {name}")
            return result

        return counted

    for module, kind, name in MOMENTS:
        owner = getattr(sys.modules[module], kind)
        setattr(owner, name, deadly(getattr(owner, name), f"{kind}.{name}"))


def _rest_before(what: str) -> None:
    """Let this process be stopped before it does something for the first time."""
    module, kind, name = next(moment for moment in MOMENTS if ".".join(moment[1:]) == what)
    owner = getattr(sys.modules[module], kind)
    function = getattr(owner, name)

    async def rested(*args: Any, **kwargs: Any) -> Any:
        setattr(owner, name, function)
        os.write(2, f"{os.getpid()} rests before {what}\n".encode())
        os.kill(os.getpid(), signal.SIGSTOP)
        return await function(*args, **kwargs)

    setattr(owner, name, rested)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
