"""A process of the policy whose clock goes on from a time in a file: what the tests kill."""

import sys
import time
from pathlib import Path

from models.lifecycle.machine import Mode
from streams.exchange.client import ExchangeClient, read_signer
from streams.lifecycle.feed import KafkaFeed
from streams.lifecycle.holds import Watch
from streams.lifecycle.intake import Intake
from streams.lifecycle.key_rows import KeyRows
from streams.lifecycle.owners import SignedCalls, notifier
from streams.lifecycle.process import Process, Rules
from streams.lifecycle.steps import Limits
from streams.lifecycle.store import Store, only_one
from tests.models.lifecycle.policies import BINANCE


def main(brokers: str, folder: str, notifier_url: str, exchange_url: str) -> None:
    """Run until it is killed; the clock and the secret lie in the folder."""
    home = Path(folder)
    signer = read_signer(home / "secret")
    caller, path = notifier(notifier_url, signer)
    hands = SignedCalls(caller, path, ExchangeClient(exchange_url, signer))
    rules = Rules(BINANCE, Mode.ENFORCE, Limits(1000, 1000), Watch(0, 30), "key.lifecycle")

    def clock() -> int:
        file = home / "clock"
        return int(file.read_text()) + round((time.time() - file.stat().st_mtime) * 1000)

    state = home / "state.sqlite3"
    with (
        only_one(state),
        Store(state) as store,
        KafkaFeed([brokers], ["orders"], "roguekey.lifecycle") as feed,
    ):
        keys = KeyRows(store.sql, BINANCE)
        intake = Intake(store, keys, feed, "orders")
        process = Process(store, feed, intake, keys, hands, rules)
        process.begin(clock())
        while True:
            if not process.tick(clock):
                time.sleep(0.02)


if __name__ == "__main__":
    main(*sys.argv[1:])
