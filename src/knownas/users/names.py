"""What to call a user."""

from typing import Final

from knownas.users import User

MAX_NAME: Final = 128
_COLOURS: Final = (
    "Amber", "Azure", "Coral", "Crimson", "Emerald", "Golden", "Indigo", "Ivory", "Jade", "Lilac", "Maroon", "Olive",
    "Pearl", "Ruby", "Silver", "Teal",
)  # fmt: skip
_ANIMALS: Final = (
    "Badger", "Beaver", "Bison", "Crane", "Dolphin", "Falcon", "Ferret", "Finch", "Fox", "Gazelle", "Gecko", "Heron",
    "Ibex", "Jaguar", "Koala", "Lemur", "Lynx", "Magpie", "Marten", "Moose", "Otter", "Owl", "Panda", "Puffin",
    "Quokka", "Raven", "Seal", "Swift", "Tapir", "Turtle", "Walrus", "Wombat",
)  # fmt: skip


def display_name(user: User, *, animal_names: bool) -> str:
    """Her name, or a stable stand-in: `Teal Otter` where the app asks for animal names, else `User 6f3c`.

    The stand-in hangs on the random half of the id alone, so it is the same on every page and says nothing about her.
    """
    if user.named:
        return " ".join(part for part in (user.given_name, user.surname) if part)
    if not animal_names:
        return f"User {user.id[-4:]}"
    number = int(user.id[-8:], 16)
    return f"{_COLOURS[number % len(_COLOURS)]} {_ANIMALS[number // len(_COLOURS) % len(_ANIMALS)]}"


def split_name(name: str | None) -> tuple[str | None, str | None]:
    """Given name and surname out of one `name`: the first word, and the rest; each cut to 128 characters."""
    words = (name or "").split(None, 1)
    given = words[0][:MAX_NAME] if words else None
    surname = words[1].rstrip()[:MAX_NAME] if len(words) == 2 else None
    return given, surname
