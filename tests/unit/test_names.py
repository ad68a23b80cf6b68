"""What a user is called."""

import pytest

from knownas.users.names import display_name, split_name
from tests.given import World


async def test_a_named_user_is_called_by_her_name(world: World) -> None:
    both = await world.user(given_name="Ada", surname="Lovelace")
    surname = await world.user(surname="Lovelace")
    for animal_names in (True, False):
        assert display_name(both, animal_names=animal_names) == "Ada Lovelace"
        assert display_name(surname, animal_names=animal_names) == "Lovelace"


async def test_a_stand_in_is_the_same_on_every_page_and_says_nothing_about_her(world: World) -> None:
    visitor = (await world.visitor(email="ada@example.com")).user
    again = await world.get(visitor.id)
    assert display_name(visitor, animal_names=False) == f"User {visitor.id[-4:]}"
    assert display_name(visitor, animal_names=True) == display_name(again, animal_names=True)
    assert len(display_name(visitor, animal_names=True).split()) == 2


async def test_stand_ins_differ_also_for_users_of_the_same_moment(world: World) -> None:
    names = {display_name((await world.visitor()).user, animal_names=True) for _ in range(60)}
    assert len(names) > 30


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("Jane Soap", ("Jane", "Soap")),
        ("Jane van Dyke", ("Jane", "van Dyke")),
        ("  Jane  ", ("Jane", None)),
        ("", (None, None)),
        (" ", (None, None)),
        (None, (None, None)),
        ("x" * 200 + " " + "y" * 200, ("x" * 128, "y" * 128)),
    ],
)
def test_a_name_is_split_at_its_first_blank(name: str | None, parts: tuple[str | None, str | None]) -> None:
    assert split_name(name) == parts
