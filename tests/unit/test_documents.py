"""What the documents tell people to type is there: commands, their options, and the pages that they link to."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer

from knownas.cli import cli
from tests.servers import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
STORY = ROOT / "docs" / "how-to" / "settle-a-conflict.md"
COMMAND = re.compile(r"knownas [a-z][^\n`|;)]*")
BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
INDENTED = re.compile(r"^ {4}(.*)$", re.MULTILINE)
INLINE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")


def commands_in(text: str) -> list[list[str]]:
    """Each command, in words, without `knownas`."""
    return [shlex.split(found, comments=True)[1:] for found in COMMAND.findall(text.replace("\\\n", " "))]


def missing_from(words: list[str], *, whole: bool) -> str | None:
    """What of a command there is not, or None. One that is `whole` has all the options that it needs."""
    command: Any = typer.main.get_command(cli)
    while hasattr(command, "commands") and words and not words[0].startswith("-"):
        if words[0] not in command.commands:
            return f"no command {words[0]}"
        command, words = command.commands[words[0]], words[1:]
    options = {"--help"} | {name for one in command.params for name in one.opts}
    given = {word for word in words if word.startswith("--")}
    if unknown := given - options:
        return f"no option {', '.join(sorted(unknown))}"
    needed = {one.opts[0] for one in command.params if one.required and one.param_type_name == "option"}
    return f"{', '.join(sorted(needed - given))} is needed" if whole and needed - given else None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_on_a_page_is_one_that_there_is(page: Path) -> None:
    text = page.read_text()
    typed = commands_in("\n".join(BLOCK.findall(text)))
    named = commands_in("\n".join([*INDENTED.findall(text), *INLINE.findall(text)]))
    found = [(words, missing_from(words, whole=True)) for words in typed]
    found += [(words, missing_from(words, whole=False)) for words in named]
    assert [(" ".join(words), missing) for words, missing in found if missing] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_within_the_repository_leads_somewhere(page: Path) -> None:
    assert [link for link in LINK.findall(page.read_text()) if not (page.parent / link).exists()] == []


def test_the_story_is_checked_and_what_is_wrong_is_found() -> None:
    typed = commands_in("\n".join(BLOCK.findall(STORY.read_text())))
    assert {words[0] for words in typed} >= {"conflicts", "undo", "users", "audit", "erase", "token"}
    assert missing_from(["audit", "verify"], whole=True) == "--app is needed"
    assert missing_from(["conflicts", "settle"], whole=False) == "no command settle"
    assert missing_from(["undo", "ACT", "--why", "x"], whole=False) == "no option --why"
