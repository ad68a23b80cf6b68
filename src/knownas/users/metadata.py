"""Custom properties: a flat object of strings, numbers and booleans, at most 4 KB (spec/sunshine-v2.yaml)."""

from typing import Any, Final

import msgspec

from knownas.errors import DomainError

METADATA_BYTES: Final = 4096


class InvalidMetadata(DomainError):
    """Metadata that cannot be stored; the text says why."""

    kind = "invalid"
    code = "bad_request"


def size_of(metadata: dict[str, Any]) -> int:
    """Bytes of the metadata as compact JSON, which is what the limit counts."""
    return len(msgspec.json.encode(metadata))


def check_metadata(metadata: dict[str, Any], *, subject: str = "User") -> dict[str, Any]:
    """The same metadata, or InvalidMetadata when it is not flat or larger than 4 KB."""
    for key, value in metadata.items():
        if not isinstance(value, str | int | float | bool):
            name = "".join(character if character.isprintable() else "\ufffd" for character in key[:64])
            raise InvalidMetadata(f"metadata.{name} should be a string, a number or a boolean: metadata is flat")
    if size_of(metadata) > METADATA_BYTES:
        raise InvalidMetadata(f"{subject} metadata is limited to {METADATA_BYTES} bytes in size.")
    return metadata


def merge_metadata(current: dict[str, Any], changes: dict[str, Any] | None, *, subject: str = "User") -> dict[str, Any]:
    """`current` with `changes` on top, where a null removes its key and a null object removes all."""
    if changes is None:
        return {}
    merged = {key: value for key, value in {**current, **changes}.items() if value is not None}
    return check_metadata(merged, subject=subject)


def combine(surviving: dict[str, Any], discarded: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Two users' metadata as one, and what did not fit (the vendor's `discardedMetadata`).

    The survivor's values win, because what is known of an identified user outranks what a visitor's session held.
    """
    combined, left_over = dict(surviving), {}
    for key, value in discarded.items():
        if key in combined:
            continue
        if size_of({**combined, key: value}) <= METADATA_BYTES:
            combined[key] = value
        else:
            left_over[key] = value
    return combined, left_over
