import re
from importlib import import_module
from importlib.metadata import entry_points, packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LOCK = (ROOT / "deploy" / "requirements.lock").read_text()


@pytest.mark.parametrize("package", ["models", "streams"])
def test_the_plain_package_names_belong_to_this_distribution_alone(package: str) -> None:
    assert packages_distributions()[package] == ["roguekey"]
    assert Path(import_module(package).__path__[0]) == ROOT / package


@pytest.mark.parametrize(
    ("group", "name"), [("console_scripts", "roguekey"), ("faust.transports", "coalesced")]
)
def test_what_the_distribution_offers_can_be_loaded(group: str, name: str) -> None:
    (found,) = entry_points(group=group, name=name)
    assert found.dist is not None
    assert found.dist.name == "roguekey"
    assert callable(found.load())


def test_the_lock_says_where_nothing_comes_from() -> None:
    assert not re.findall(r"\S+://\S+|^ *--?(?:index|extra|find|trusted|i\b)\S*", LOCK, re.M)


def test_every_package_in_the_lock_is_exact_and_has_a_hash() -> None:
    pinned = [entry for entry in re.split(r"\n(?=\S)", LOCK) if not entry.startswith("#")]
    assert len(pinned) > 20
    for entry in pinned:
        assert re.match(r"[a-z0-9.-]+==[^ ;]+( ; [^\\]+)? \\\n +--hash=sha256:[0-9a-f]{64}", entry)
