"""The command line, `roguekey COMMAND`, and what all commands have in common.

A command is a module of `streams.commands` whose `command` is a Click command; it is imported when
it runs, so that `roguekey --help` answers at once. To add one: write the module, add its line here.

Exit codes: 0 done, 1 the check failed or something broke, 2 wrong usage or configuration, 130
Ctrl-C. A failure is one line on stderr; a traceback is shown only to who asks for it with --debug.
"""

import contextlib
import errno
import logging
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Final

import click
from typing_extensions import override

from streams.kernel_cache import use_fresh_kernels
from streams.signals import leave_on_sigterm

# At DEBUG the clients log passwords, and numba every step of its compiler.
TELLTALES: Final = ("aiokafka.conn", "kafka", "numba")

COMMANDS: Final = {
    "simulate": "Write a simulated, labelled tape of order events.",
    "import-tape": "Turn a public trade tape into order events.",
    "train": "Train a model on a tape of order events.",
    "replay": "Run events of the past through the detector.",
    "worker": "Run one stream worker; start more to scale out.",
    "tune": "Sweep alert thresholds against labels, and recommend one.",
    "produce": "Put order events from files on the orders topic.",
    "dead": "Look at refused events, and put them back.",
    "demo": "Show the whole system at work, on an embedded broker.",
    "dashboard": "Serve the risk team's screen.",
    "lifecycle": "Remove keys that nobody uses: notice, two business days, removal.",
    "freeze-hook": "Freeze keys that alerts accuse, within a policy.",
    "freeze": "Show and decide what the freeze hook does.",
    "evidence": "Gather what a disputed freeze needs, as a folder of files.",
    "mock-exchange": "Run a mock exchange, to try the freeze hook on.",
    "doctor": "Check settings, brokers, topics and model; say what to do.",
}
# These end with 0 when SIGTERM tells them to.
SERVICES: Final = {"worker", "dashboard", "lifecycle", "freeze-hook", "mock-exchange"}


class CommandGroup(click.Group):
    """The commands of `COMMANDS`, each imported when it is asked for."""

    @override
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    @override
    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"streams.commands.{cmd_name.replace('-', '_')}")
        command: click.Command = module.command
        return command

    @override
    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    @override
    def invoke(self, ctx: click.Context) -> object:
        """Run the command; turn what nobody expected into one line, unless debugging."""
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.Abort, click.exceptions.Exit):
            raise
        except Exception as error:
            if ctx.params["debug"] or _is_broken_pipe(error):
                raise
            raise click.ClickException(_told(error)) from error


@click.group(cls=CommandGroup, invoke_without_command=True)
@click.option("--debug", is_flag=True, help="Log everything, and show tracebacks.")
@click.version_option(package_name="roguekey", message="%(package)s %(version)s")
@click.pass_context
def roguekey(ctx: click.Context, debug: bool) -> None:
    """Catch leaked exchange API keys while they are being used to pump a market."""
    # Clients tell of lost connections in the log; a failing command has one line of its own.
    logging.basicConfig(level=logging.DEBUG if debug else logging.CRITICAL)
    for library in TELLTALES if debug else ():
        logging.getLogger(library).setLevel(logging.INFO)
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


def run(arguments: Sequence[str]) -> int:
    """Run one command line and give its exit code."""
    use_fresh_kernels()  # before a command imports any
    try:
        code = roguekey.main(list(arguments), prog_name="roguekey", standalone_mode=False)
        sys.stdout.flush()
    except click.Abort:
        return 130
    except click.ClickException as error:
        return _tell(error)
    except OSError as error:
        if not _is_broken_pipe(error):
            raise
        _forget_stdout()
        return 1
    return code if isinstance(code, int) else 0


def main() -> None:
    """Run `roguekey` with the arguments of this process."""
    command = next((word for word in sys.argv[1:] if not word.startswith("-")), "")
    if command in SERVICES:
        leave_on_sigterm()  # at once, since what they import takes seconds
    sys.exit(run(sys.argv[1:]))


def _tell(error: click.ClickException) -> int:
    line = " ".join(error.format_message().split())
    if isinstance(error, click.UsageError):
        path = error.ctx.command_path if error.ctx else "roguekey"
        line = f"{line.removesuffix('.')} (see {path} --help)"
    with contextlib.suppress(BrokenPipeError):
        click.echo(f"roguekey: error: {line}", err=True)
    return error.exit_code


def _told(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror}"
    return f"{type(error).__name__}: {error} (unexpected; roguekey --debug COMMAND shows where)"


def _is_broken_pipe(error: BaseException) -> bool:
    return isinstance(error, OSError) and error.errno == errno.EPIPE


def _forget_stdout() -> None:
    """Let the interpreter's last flush go nowhere, where it would fail again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
