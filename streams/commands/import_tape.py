"""`roguekey import-tape`: public trade tapes into order events."""

from collections import Counter
from pathlib import Path

import click
from typing_extensions import override

from streams.commands.options import (
    OUTPUT_FILE,
    inputs_option,
    json_option,
    refuse_overwriting,
    show,
)
from streams.tapes.files import TapeError
from streams.tapes.importing import Imported, import_tapes, write_events


class QuoteRate(click.ParamType):
    """`QUOTE=USD`, such as SOL=150."""

    name = "QUOTE=USD"

    @override
    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, float]:
        """Split the text into currency and rate."""
        quote, _, rate = value.partition("=")
        try:
            usd = float(rate)
        except ValueError:
            usd = 0.0
        if not quote or not 0 < usd < float("inf"):
            self.fail(f"{value!r} must be a currency and its value in USD above 0, as SOL=150")
        return quote.upper(), usd


@click.command("import-tape")
@inputs_option("Tape, .csv, .csv.gz or .csv.zst", required=True)
@click.option(
    "--out",
    type=OUTPUT_FILE,
    required=True,
    metavar="FILE",
    help="Order events, sorted by time (.jsonl, .jsonl.gz, .jsonl.zst).",
)
@click.option(
    "--usd-per-quote",
    type=QuoteRate(),
    multiple=True,
    metavar="QUOTE=USD",
    help="Value of a quote currency, for notional; may be repeated.  [default: SOL=150 and others]",
)
@json_option
def command(
    inputs: tuple[Path, ...], out: Path, usd_per_quote: tuple[tuple[str, float], ...], as_json: bool
) -> None:
    """Turn a public trade tape into order events.

    The kind of tape is told by its header; each is public data of an open repository.

    \b
    Solana swaps      searadacunha/Why-Solana-Memecoins-Are-Over, MIT.
                      The wallet is account and API key; the app is known.
    public trades     of many exchanges: bmoscon/cryptofeed, MIT-style;
                      of Binance: nkaz001/hftbacktest, MIT. No accounts: all
                      events are anonymous and without an API key.
    account history   of one Yobit account: salah1976/pump-and-dump-benchmark,
                      Apache-2.0. One account and one API key.

    Rows without a price or a size are left out and counted. The notional in USD is rough: one rate
    per quote currency for the whole tape.
    """  # noqa: D301 - Click's mark of a paragraph to be left as it stands
    refuse_overwriting({"--out": out}, inputs)
    try:
        imported = import_tapes(inputs, dict(usd_per_quote))
        write_events(imported.events, out)
    except TapeError as error:
        raise click.ClickException(str(error)) from error
    _report(imported, out, as_json=as_json)


def _report(imported: Imported, out: Path, *, as_json: bool) -> None:
    keys = {event["api_key"] for event in imported.events} - {None}
    result = {
        "out": str(out),
        "events": len(imported.events),
        "skipped": imported.skipped,
        "api_keys": len(keys),
        "symbols": len({event["symbol"] for event in imported.events}),
        "tapes": dict(Counter(imported.kinds)),
    }
    skipped = f"; {imported.skipped:,} rows without price or size" if imported.skipped else ""
    text = (
        f"{len(imported.events):,} events of {len(keys):,} API keys and "
        f"{result['symbols']:,} symbols in {out} ({', '.join(imported.kinds)}){skipped}"
    )
    show(result, text, as_json=as_json)
