"""A hook put together from settings: policy, outbox, exchange, Kafka."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from streams.exchange.client import Caller, ExchangeClient, SecretError, Signer, read_signer
from streams.freeze.actions import Mode
from streams.freeze.hook import Hook
from streams.freeze.outbox import Outbox
from streams.freeze.policy import Policy, PolicyError, load_policy
from streams.freeze.publisher import Publisher
from streams.freeze.service import CONNECT_MS, Service
from streams.kafka.security import kafka_security
from streams.settings import ConfigError, Settings
from streams.topics import ensure_topics, topic_specs

KILL_FILE = "STOP"  # in the hook's folder


def policy_of(settings: Settings) -> Policy:
    """Load the policy that the settings name; a `ConfigError` says what is wrong."""
    try:
        return load_policy(Path(settings.freeze_policy) if settings.freeze_policy else None)
    except PolicyError as error:
        raise ConfigError(f"freeze_policy: {error}") from error


def kill_file_of(settings: Settings, policy: Policy) -> Path:
    """Path of the file that stops the hook while it is there."""
    return policy.kill_file or settings.freeze_folder / KILL_FILE


def signer_of(settings: Settings) -> Signer:
    """Read the secret that the settings name; a `ConfigError` never shows it."""
    if not settings.exchange_secret_file:
        raise ConfigError("exchange_secret_file is not set; must name the file of the secret")
    try:
        return read_signer(Path(settings.exchange_secret_file))
    except SecretError as error:
        raise ConfigError(f"exchange_secret_file: {error}") from error


def exchange_of(
    settings: Settings, timeout_s: float, *, required: bool, stack: ExitStack
) -> ExchangeClient | None:
    """Give the client of the exchange; None where none is set and none is required."""
    if not settings.exchange_url:
        if required:
            raise ConfigError("exchange_url is not set; must be http://host or https://host")
        return None
    signer = signer_of(settings)
    return stack.enter_context(ExchangeClient(settings.exchange_url, signer, timeout_s=timeout_s))


def alarm_of(settings: Settings, timeout_s: float, stack: ExitStack) -> Caller | None:
    """Give whom to call when people must be paged; None where nobody is set."""
    if not settings.alarm_url:
        return None
    signer = signer_of(settings)
    return stack.enter_context(Caller(settings.alarm_url, signer, timeout_s=timeout_s))


@contextmanager
def assembled(settings: Settings) -> Iterator[Service]:
    """Give the service, ready to run; it has taken up what an earlier life left behind.

    Raises
    ------
    ConfigError
        If policy, secret or settings are wrong.
    OutboxError
        If another hook runs on the same folder, or outbox and audit topic differ.
    kafka.errors.KafkaError
        If the brokers cannot be reached.
    """
    policy, client = policy_of(settings), kafka_security(settings)
    names = settings.topics
    brokers = settings.bootstrap_servers()
    with ExitStack() as stack:
        timeout_s = policy.calls.timeout_s
        earnest = policy.mode in {Mode.APPROVE, Mode.AUTO}
        exchange = exchange_of(settings, timeout_s, required=earnest, stack=stack)
        alarm = alarm_of(settings, timeout_s, stack)
        ensure_topics(
            brokers,
            topic_specs(names, settings.partitions),
            replication=settings.replication_factor,
            client={"bootstrap_timeout_ms": CONNECT_MS, **client},
        )
        outbox = stack.enter_context(Outbox(settings.freeze_folder))
        publisher = stack.enter_context(closing(Publisher(brokers, names.freezes, outbox, client)))
        publisher.recover()
        executor = stack.enter_context(ThreadPoolExecutor(policy.calls.at_once, "exchange"))
        hook = Hook(
            policy,
            outbox,
            executor,
            exchange=exchange,
            alarm=alarm,
            kill_file=kill_file_of(settings, policy),
            clock=time.time,
        )
        hook.resume()
        yield stack.enter_context(Service(settings, hook, publisher, client))
