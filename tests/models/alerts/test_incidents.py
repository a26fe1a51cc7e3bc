from hypothesis import given
from hypothesis import strategies as st

from models.alerts.envelope import MAX_EVIDENCE, Place, Severity
from models.alerts.incidents import QUIET_MS, Incident, Incidents, Sighting, evidence_of
from tests.factories import TS

severities = st.sampled_from(Severity)


def sighting(number: int, rank: float = 1.0) -> Sighting:
    return Sighting(rank, TS + number, f"e-{number}", Place(0, number))


def alerts_of(judged: list[tuple[int, Severity]]) -> list[tuple[int, Severity]]:
    """Which of the suspect fills of one key, each judged to be so severe, raise an alert."""
    incidents, raised = Incidents(), []
    for number, (time, severity) in enumerate(judged):
        incident = incidents.of("k", time)
        incident.add(sighting(number), time, 1.0, 0.0)
        if incident.is_news(severity):
            incident.alerted = severity
            raised.append((time, severity))
    return raised


def test_an_incident_raises_one_alert_until_its_severity_rises() -> None:
    low, high = Severity.LOW, Severity.HIGH
    judged = [(TS, low), (TS + 1, low), (TS + 2, high), (TS + 3, low), (TS + 4, high)]
    assert alerts_of(judged) == [(TS, low), (TS + 2, high)]


def test_a_key_that_was_quiet_long_enough_raises_a_new_alert() -> None:
    still_open, quiet = TS + QUIET_MS, TS + 2 * QUIET_MS + 1
    judged = [(time, Severity.HIGH) for time in (TS, still_open, quiet)]
    assert alerts_of(judged) == [judged[0], judged[2]]


def test_a_drip_that_is_never_quiet_stays_one_incident_for_days() -> None:
    judged = [(TS + n * (QUIET_MS - 1), Severity.MEDIUM) for n in range(200)]
    assert alerts_of(judged) == judged[:1]


@given(st.lists(st.tuples(st.integers(0, 2 * QUIET_MS), severities), max_size=30))
def test_alerts_follow_from_the_gaps_and_severities_alone(
    steps: list[tuple[int, Severity]],
) -> None:
    judged, now = [], TS
    for gap, severity in steps:
        now += gap
        judged.append((now, severity))
    expected, last, worst = [], None, 0
    for time, severity in judged:
        if last is None or time - last > QUIET_MS:
            worst = 0
        if severity > worst:
            worst = severity
            expected.append((time, severity))
        last = time
    assert alerts_of(judged) == expected


@given(st.lists(st.floats(0, 6), min_size=1, max_size=150))
def test_evidence_is_the_strongest_fills_of_all_strongest_first(ranks: list[float]) -> None:
    incident = Incident()
    everything = [sighting(number, rank) for number, rank in enumerate(ranks)]
    for seen in everything:
        incident.add(seen, seen.ts, 1.0, 0.0)
        assert len(incident.sightings) <= 2 * MAX_EVIDENCE
    strongest = sorted(everything, key=lambda s: (-s.rank, s.ts))[:MAX_EVIDENCE]
    evidence = evidence_of(incident.strongest())
    assert incident.strongest() == strongest
    assert evidence.event_ids == [s.event_id for s in strongest]
    assert evidence.from_ts == min(s.ts for s in strongest)
    assert evidence.to_ts == max(s.ts for s in strongest)


def test_notional_and_impact_are_sums_over_the_whole_incident() -> None:
    incident = Incident()
    for number in range(100):
        incident.add(sighting(number), TS + number, 2.5, 0.01)
    assert incident.notional == 250.0
    assert abs(incident.impact - 1.0) < 1e-12


def test_a_late_fill_does_not_make_an_incident_quiet_earlier() -> None:
    judged = [(TS, Severity.LOW), (TS - 60_000, Severity.LOW), (TS + QUIET_MS, Severity.LOW)]
    assert alerts_of(judged) == judged[:1]


def test_incidents_of_quiet_keys_are_forgotten() -> None:
    incidents, most = Incidents(), 0
    for number in range(5_000):
        time = TS + number * (QUIET_MS // 100)  # within two quiet times at most 200 keys
        incidents.of(f"k{number}", time).add(sighting(number), time, 1.0, 0.0)
        most = max(most, len(incidents._open))
    assert most <= 202


def test_one_time_far_ahead_does_not_keep_quiet_keys_in_memory() -> None:
    incidents = Incidents()
    incidents.of("mistaken", TS + 100 * QUIET_MS)
    for number in range(1_000):
        time = TS + number * (QUIET_MS // 100)
        incidents.of(f"k{number}", time).add(sighting(number), time, 1.0, 0.0)
    assert len(incidents._open) <= 203


def test_an_incident_remembers_its_first_fill_however_weak_it_was() -> None:
    incident = Incident()
    for number in range(100):
        incident.add(sighting(number, rank=float(number)), TS + number, 1.0, 0.0)
    assert incident.since == TS
    assert evidence_of(incident.strongest()).from_ts > TS
