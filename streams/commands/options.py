"""Options that commands share: settings as flags, what is logged, results as text or as JSON."""

import functools
import json
import logging
import math
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import click
from typing_extensions import override

from streams.settings import CONFIG_VARIABLE, PREFIX, Settings, load_settings

Callback: TypeAlias = Callable[..., None]
AnyCallback = TypeVar("AnyCallback", bound=Callback)

ORDER_FILE = click.Path(exists=True, dir_okay=False, readable=True, path_type=Path)
ORDERS = "Order events, one JSON object per line (.jsonl, .jsonl.gz, .jsonl.zst)"
OUTPUT_FILE = click.Path(dir_okay=False, writable=True, path_type=Path)


class Amount(click.FloatRange):
    """A number within bounds that is one: Click takes `nan` and `inf` for such."""

    @override
    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Give the number."""
        number: float = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is no finite number.", param, ctx)
        return number


def as_ms(text: str) -> int:
    """Read a time: RFC 3339 with its zone, or milliseconds since the Unix epoch.

    >>> as_ms("2022-12-09T05:10:11.123Z") == as_ms("1670562611123") == 1670562611123
    True
    """
    if text.isascii() and text.isdigit():
        ms = int(text)
    else:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise ValueError(f"{text} has no time zone; end it with Z for UTC")
        ms = round(moment.timestamp() * 1000)
    if not 0 <= ms < 2**63:
        raise ValueError(f"{text} lies outside of what brokers know as time")
    return ms


class Time(click.ParamType):
    """RFC 3339, or milliseconds since the Unix epoch."""

    name = "T"

    @override
    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Give the time in ms."""
        try:
            return as_ms(value)
        except (ValueError, OverflowError) as error:
            self.fail(
                f"{value!r} must be RFC 3339 with its zone, as 2022-12-09T05:10:11Z,"
                f" or milliseconds since 1970: {error}",
                param,
                ctx,
            )


def refuse_overwriting(outputs: Mapping[str, Path | None], inputs: Iterable[Path] = ()) -> None:
    """Refuse two outputs in one file, and any in the place of an input: it would be emptied."""
    taken = {path.resolve(): "an input" for path in inputs}
    for flag, path in outputs.items():
        if path is None or (path.exists() and not path.is_file()):  # nothing is there to be lost
            continue
        if (other := taken.get(path.resolve())) is not None:
            raise click.UsageError(f"{flag} {path} is {other}, too; give it another name")
        taken[path.resolve()] = flag


def refuse_pipes(flag: str, inputs: Iterable[Path]) -> None:
    """Refuse what can be read only once where it is to be read again."""
    for path in inputs:
        if not path.is_file():
            raise click.UsageError(
                f"{flag} {path} is no regular file, and is read more than once: save it in one"
            )


def with_settings(*flags: str) -> Callable[[Callback], Callback]:
    """Give the command `settings`, with --config and a flag for each setting in `flags`."""

    def decorate(function: Callback) -> Callback:
        @functools.wraps(function)
        def command(config: Path | None, **given: Any) -> None:
            values = {flag: given.pop(flag) for flag in flags}
            set_by_flag = {flag: value for flag, value in values.items() if value not in (None, ())}
            function(load_settings(set_by_flag, config), **given)

        decorated: Callback = command
        for flag in reversed(flags):
            decorated = _setting_option(flag)(decorated)
        return click.option(
            "--config",
            type=click.Path(path_type=Path),
            metavar="FILE",
            help=f"TOML file of settings.  [env var: {CONFIG_VARIABLE}]",
        )(decorated)

    return decorate


def _setting_option(name: str) -> Callable[[Callback], Callback]:
    """Make the flag of one setting; `load_settings` checks its value with all the others."""
    field = Settings.model_fields[name]
    default = field.default
    notes = [f"env var: {PREFIX}{name.upper()}"]
    if default not in ("", ()):
        notes.append(f"default: {default}")
    description = str(field.description)
    return click.option(
        f"--{name.replace('_', '-')}",
        multiple=isinstance(default, tuple),
        metavar="DIR" if isinstance(default, Path) else type(default).__name__.upper(),
        help=f"{description[0].upper()}{description[1:]}.  [{'; '.join(notes)}]",
    )


def inputs_option(what: str = ORDERS, *, required: bool) -> Callable[[AnyCallback], AnyCallback]:
    """Make --input, which arrives as `inputs`: files of `what`, in the order given."""
    return click.option(
        "--input",
        "inputs",
        type=ORDER_FILE,
        multiple=True,
        required=required,
        metavar="FILE",
        help=f"{what}; may be repeated.",
    )


def log_at(level: str, quiet: Iterable[str] = (), silent: Iterable[str] = ()) -> None:
    """Log from `level` on; of libraries only warnings (quiet), or next to nothing (silent)."""
    root = logging.getLogger()
    if root.level == logging.DEBUG:  # roguekey --debug
        return
    number = logging.getLevelNamesMapping()[level.upper()]
    root.setLevel(number)
    for libraries, least in ((quiet, logging.WARNING), (silent, logging.CRITICAL)):
        for library in libraries:
            logging.getLogger(library).setLevel(max(number, least))


def json_option(function: AnyCallback) -> AnyCallback:
    """Add --json, which arrives as `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")(
        function
    )


def show(result: Mapping[str, Any], text: str, *, as_json: bool) -> None:
    """Print the result on stdout: one JSON object, or the text."""
    click.echo(json.dumps(result) if as_json else text)
