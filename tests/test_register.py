"""The register finds exactly the cards that `Credential.matches` calls the same, most exact first."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.credentials import Credential, Format, parse_credential
from gateway.register import Register
from gateway.types import Holder

# Few byte values, so that tails collide all the time.
BYTES = st.sampled_from([0, 1, 255])


def values(length: int) -> st.SearchStrategy[bytes]:
    return st.lists(BYTES, min_size=length, max_size=length).map(bytes)


CREDENTIALS = st.one_of(
    values(5).map(lambda value: Credential(Format.EM4100, value)),
    values(3).map(lambda value: Credential(Format.W26, value)),
    values(4).map(lambda value: Credential(Format.W34, value)),
    values(4).map(lambda value: Credential(Format.DEC10, value)),
    values(5).map(lambda value: Credential(Format.W37, value)),
    st.integers(1, 7).flatmap(values).map(lambda value: Credential(Format.HEX, value)),
    st.sampled_from(["A", "B1"]).map(lambda text: Credential(Format.TEXT, text.encode())),
)


def holder(number: int) -> Holder:
    return Holder(f"r-{number}", f"h:{number}", "", "resident", "", "", None)


@given(st.lists(CREDENTIALS, max_size=30), CREDENTIALS)
def test_the_register_finds_what_matches_and_nothing_else(cards: list[Credential], presented: Credential) -> None:
    holders = [holder(number) for number in range(len(cards))]
    register = Register(holders, ((card, f"r-{number}") for number, card in enumerate(cards)), ())
    found = register.by_credential(presented)
    assert {h.id for h in found} == {f"r-{n}" for n, card in enumerate(cards) if presented.matches(card)}
    lengths = [min(len(presented.value), len(cards[int(h.id[2:])].value)) for h in found]
    assert lengths == sorted(lengths, reverse=True)


def test_one_holder_with_two_writings_of_a_card_is_found_once() -> None:
    cards = [(parse_credential("em4100:62E3086CED"), "r-1"), (parse_credential("w26:8-27885"), "r-1")]
    register = Register([holder(1)], cards, ())
    for written in ("em4100:62E3086CED", "w26:8-27885", "w34:58120-27885", "dec10:3808980205", "hex:E3086CED"):
        assert [h.id for h in register.by_credential(parse_credential(written))] == ["r-1"]


def test_plates_and_refs() -> None:
    register = Register([holder(1), holder(2)], (), [("鄂J12345", "r-1"), ("鄂J12345", "r-2"), ("鄂J00001", "r-2")])
    assert [h.id for h in register.by_plate("鄂J12345")] == ["r-1", "r-2"]
    assert register.by_plate("鄂J99999") == []
    assert register.by_ref("h:2") == holder(2)
    assert register.by_ref("h:3") is None
    assert len(register) == 2
