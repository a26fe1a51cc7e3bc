"""What the tests of workers share."""

import pytest

from models.score.model import Model
from tests.streams.conftest import Trained


@pytest.fixture
def model(trained: Trained) -> Model:
    return trained.model
