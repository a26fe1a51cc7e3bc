import pytest

from models.bounds import Bounds
from models.entities import saved
from streams.kafka.broker import EmbeddedBroker
from streams.replay.replay import warmed_detector
from streams.worker.warmup import Stages, is_first_start, warm_stages
from tests.models.simulation.worlds import small_tape
from tests.streams.conftest import Trained


def test_every_partition_gets_its_own_part_of_the_past(trained: Trained) -> None:
    stages = warm_stages(trained.model, [trained.tape], 3)
    assert sorted(stages.markets) == sorted(stages.keys) == [0, 1, 2]
    clocks = [stages.market(partition).clock for partition in range(3)]
    assert max(clocks) == small_tape().ts.max()
    assert len(set(clocks)) == 3


def test_a_stage_is_handed_out_once_and_then_anew(trained: Trained) -> None:
    stages = warm_stages(trained.model, [trained.tape], 1)
    assert stages.market(0).clock > 0
    assert stages.market(0).clock == 0
    assert stages.key(0) is not stages.key(0)
    assert Stages(trained.model).market(7).clock == 0


@pytest.mark.parametrize("partitions", [1, 3])
def test_the_alert_stage_knows_whose_company_is_usual_as_a_replay_does(
    trained: Trained, partitions: int
) -> None:
    stages = warm_stages(trained.model, [trained.tape], partitions)
    warmed = warmed_detector(trained.model, partitions, [trained.tape], small_tape().ts.max())
    followers = saved(stages.alert().followers).array
    assert len(followers)
    assert followers.tobytes() == saved(warmed._alerts.followers).array.tobytes()
    assert not len(saved(stages.alert().followers).array)  # it is handed out once


def test_stages_warm_or_new_remember_no_more_than_their_bounds_allow(trained: Trained) -> None:
    few = Bounds(markets=4, keys=8, pairs=16)
    stages = warm_stages(trained.model, [trained.tape], 1, bounds=few)
    warm, new = stages.key(0), stages.key(0)
    assert len(warm.snapshot().records["_keys"].array) == 8
    assert len(stages.market(0).snapshot().records["_markets"].array) == 4
    assert new.bounds == stages.market(0).bounds == few


def test_a_group_that_committed_nothing_starts_for_the_first_time(
    broker: EmbeddedBroker, orders: str
) -> None:
    assert is_first_start([broker.address], "nobody", orders)
