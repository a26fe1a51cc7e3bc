"""`roguekey worker`: one stream worker."""

import socket
from contextlib import ExitStack

import click
from kafka.errors import KafkaError

from streams.commands.options import log_at, with_settings
from streams.commands.replay import load_model
from streams.kafka.access import check_access
from streams.kafka.broker import TOPIC_LIMITS, BrokerError, EmbeddedBroker
from streams.kafka.security import kafka_security
from streams.memory import collect_seldom, share_arenas
from streams.settings import ConfigError, Settings
from streams.signals import ended_by_sigterm
from streams.tapes.files import TapeError
from streams.tapes.intake import progress_bar, stored_bytes
from streams.topics import TopicError, ensure_topics, every_spec, worker_group
from streams.watch.health import Health, address_of, listen
from streams.watch.watch import Watch
from streams.worker.compiling import compile_kernels
from streams.worker.runtime import Companion, run_worker
from streams.worker.warmup import Stages, is_first_start, warm_stages
from streams.worker.worker import Worker

CONNECT_MS = 5000
LIBRARIES = ("faust", "mode", "aiokafka", "kafka", "numba")


@click.command("worker")
@with_settings(
    "brokers",
    "model",
    "false_keys_per_1000_key_days",
    "partitions",
    "replication_factor",
    "app_id",
    "auto_offset_reset",
    "checkpoint_interval_ms",
    "session_timeout_ms",
    "adopt_state",
    "max_keys",
    "max_pairs",
    "max_markets",
    "warmup",
    "http_host",
    "http_port",
    "watchdog_s",
    "dead_letter_ratio",
    "dead_letter_window",
    "log_level",
)
def command(settings: Settings) -> None:
    """Run one stream worker; start more to scale out.

    Topics that are missing are made. On the very first start of the group, the files of --warmup
    build the baselines of keys and symbols, without alerting. Without brokers, a broker of its own
    runs as long as the worker does. SIGTERM or Ctrl-C ends it.

    It tells its health at /live, /ready and /metrics of --http-port. A worker that does not get on
    any more, or of whose events too many are refused, ends with an exit code other than 0.
    """
    log_at(settings.log_level, LIBRARIES)
    share_arenas()
    try:
        with ended_by_sigterm(), ExitStack() as stack:
            model = load_model(settings)
            _check_brokers(settings)
            listening = listen(settings)
            compile_kernels(model)
            brokers = _brokers(settings, stack)
            stages = _stages(settings, brokers, Stages(model, settings.bounds()))
            worker = Worker(settings, brokers, stages)
            collect_seldom()
            code = run_worker(worker.app, companions=_companions(worker, settings, listening))
    except (TapeError, TopicError, BrokerError) as error:
        raise click.ClickException(str(error)) from error
    except KafkaError as error:
        raise click.ClickException(f"brokers {settings.brokers}: {error}") from error
    click.get_current_context().exit(code)


def _companions(
    worker: Worker, settings: Settings, listening: socket.socket | None
) -> list[Companion]:
    """Give what watches the worker, and what tells of it where somebody may listen."""
    limit_s = settings.watchdog_s
    watch = Watch(worker.app, worker.places, worker.topics, limit_s, worker.is_recovered)
    if listening is None:
        return [watch.run]
    click.echo(f"health and metrics at {address_of(listening)}")
    return [watch.run, Health(listening, worker.metrics, watch.not_ready).run]


def _check_brokers(settings: Settings) -> None:
    """Refuse settings with which no broker would let us in, before anything takes long."""
    if settings.brokers:
        check_access(settings)
    elif settings.security_protocol != "PLAINTEXT":
        raise ConfigError(
            f"security_protocol is {settings.security_protocol}, but brokers is not set; "
            "the embedded broker knows PLAINTEXT only"
        )


def _brokers(settings: Settings, stack: ExitStack) -> list[str]:
    """Give the addresses of brokers on which all topics are; start one where none is set."""
    limits = None
    if settings.brokers:
        brokers = settings.bootstrap_servers()
    else:
        brokers = [stack.enter_context(EmbeddedBroker()).address]
        limits = TOPIC_LIMITS
        click.echo(f"embedded broker at {brokers[0]}")
    ensure_topics(
        brokers,
        every_spec(settings.topics, settings.app_id, settings.partitions),
        replication=settings.replication_factor,
        limits=limits,
        client={"bootstrap_timeout_ms": CONNECT_MS, **kafka_security(settings)},
    )
    return brokers


def _stages(settings: Settings, brokers: list[str], empty: Stages) -> Stages:
    if not settings.warmup:
        return empty
    group, security = worker_group(settings.app_id), kafka_security(settings)
    if not is_first_start(brokers, group, settings.orders_topic, security):
        return empty
    history = settings.warmup_files()
    with progress_bar() as bar:
        task = bar.add_task("warm-up", total=stored_bytes(history))
        return warm_stages(
            empty.model,
            history,
            settings.partitions,
            lambda read: bar.advance(task, read),
            settings.bounds(),
        )
