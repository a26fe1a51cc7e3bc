import pytest

from streams.freeze.requests import Ask, decode_request, new_request


def test_a_request_arrives_as_it_was_made() -> None:
    request = new_request(Ask.APPROVE, who=" eva ", reason="the user confirms", subject="c1")
    assert decode_request(request.encode()) == request
    assert request.who == "eva"


@pytest.mark.parametrize(
    ("who", "reason", "subject"),
    [("", "r", "c"), ("eva", "  ", "c"), ("eva", "r", ""), ("e" * 101, "r", "c")],
)
def test_a_request_needs_somebody_a_reason_and_a_subject(
    who: str, reason: str, subject: str
) -> None:
    with pytest.raises(ValueError, match=r"who|reason|subject"):
        new_request(Ask.UNFREEZE, who=who, reason=reason, subject=subject)


def test_a_stop_needs_no_subject() -> None:
    assert new_request(Ask.STOP, who="eva", reason="too many").subject == ""
