"""Secrets at rest open only with their master key and context, and the master key is made and guarded."""

from base64 import b64encode
from collections.abc import Callable
from pathlib import Path

import pytest

from knownas.storage.vault import InvalidMasterKey, Vault, WrongMasterKey, load_master_key

ONE, OTHER = bytes(32), bytes([1]) * 32


def test_what_was_sealed_opens_again_and_looks_different_each_time() -> None:
    vault = Vault(ONE)
    sealed = vault.seal("sécret", "key:1")
    assert vault.open(sealed, "key:1") == "sécret"
    assert sealed != vault.seal("sécret", "key:1")
    assert vault.open(vault.seal("", ""), "") == ""


@pytest.mark.parametrize(
    "damage", [lambda s: s[:-4], lambda s: s[:5] + "AAAA" + s[9:], lambda s: s[3:], lambda s: "", lambda s: "v1.é"]
)
def test_damage_is_noticed(damage: Callable[[str], str]) -> None:
    with pytest.raises(WrongMasterKey):
        Vault(ONE).open(damage(Vault(ONE).seal("secret", "key:1")), "key:1")


def test_another_key_or_context_opens_nothing_and_says_what_to_do() -> None:
    sealed = Vault(ONE).seal("secret", "key:1")
    with pytest.raises(WrongMasterKey, match="restore it from a backup"):
        Vault(OTHER).open(sealed, "key:1")
    with pytest.raises(WrongMasterKey):
        Vault(ONE).open(sealed, "key:2")


def test_the_first_start_makes_a_private_file_and_later_ones_read_it(tmp_path: Path) -> None:
    file = tmp_path / "new" / "master.key"
    key = load_master_key(file, None)
    assert len(key) == 32
    assert file.stat().st_mode & 0o777 == 0o600
    assert load_master_key(file, None) == load_master_key(file, " ") == key
    assert list(file.parent.iterdir()) == [file]


def test_a_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "master.key"
    load_master_key(file, None)
    file.chmod(0o640)
    with pytest.raises(InvalidMasterKey, match="chmod 600"):
        load_master_key(file, None)


@pytest.mark.parametrize(
    "text", [OTHER.hex(), OTHER.hex().upper() + "\n", b64encode(OTHER).decode(), b64encode(OTHER).decode().rstrip("=")]
)
def test_the_variable_wins_over_the_file(tmp_path: Path, text: str) -> None:
    file = tmp_path / "master.key"
    assert load_master_key(file, text) == OTHER
    assert not file.exists()


@pytest.mark.parametrize("text", ["x", "é", "00" * 31, b64encode(bytes(33)).decode()])
def test_a_master_key_of_another_size_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(InvalidMasterKey, match="32 random bytes"):
        load_master_key(tmp_path / "master.key", text)
    with pytest.raises(InvalidMasterKey):
        Vault(bytes(31))
    file = tmp_path / "bad.key"
    file.write_text(text)
    file.chmod(0o600)
    with pytest.raises(InvalidMasterKey):
        load_master_key(file, None)
