"""Texts that stand nowhere else, one for each field of a body, so that whatever keeps one of them is found."""

import secrets
from datetime import UTC, datetime
from typing import Any

from msgspec import Struct
from msgspec.inspect import (
    BoolType,
    DateTimeType,
    DictType,
    Field,
    NoneType,
    StrType,
    StructType,
    Type,
    UnionType,
    type_info,
)


class Marks:
    """All marks of one person. `personal` are to go with her; `kept` are part of what an erasure keeps."""

    def __init__(self) -> None:
        self.personal: dict[str, str] = {}
        self.kept: dict[str, str] = {}

    def mark(self, where: str, *, kept: bool = False) -> str:
        """A new one. It is lower-case, so that normal forms have it too."""
        text = f"mark{secrets.token_hex(8)}"
        (self.kept if kept else self.personal)[text] = where
        return text

    def email(self, where: str, *, kept: bool = False) -> str:
        return f"{self.mark(where, kept=kept)}@example.com"

    def phone(self, where: str) -> str:
        """A number of which no other number is a part."""
        digits = f"+1202555{secrets.randbelow(10_000):04d}"
        self.personal[digits] = where
        return digits

    def fill(self, body: type[Struct], *, kept: bool = False, **given: Any) -> dict[str, Any]:
        """A body with a mark in every field that is not given, by its name on the wire. None leaves a field out.

        A field of a kind that nothing is known of here fails: then say what it is to hold.
        """
        info = type_info(body)
        assert isinstance(info, StructType)
        return self._struct(info, body.__name__, kept=kept, given=given)

    def _struct(self, info: StructType, where: str, *, kept: bool, given: dict[str, Any]) -> dict[str, Any]:
        unknown = given.keys() - {field.encode_name for field in info.fields}
        assert not unknown, f"{where} has no {unknown}"
        values = {
            field.encode_name: given[field.encode_name]
            if field.encode_name in given
            else self._value(field.type, f"{where}.{field.encode_name}", field, kept=kept)
            for field in info.fields
        }
        kind = {info.tag_field: info.tag} if info.tag_field else {}
        return kind | {name: value for name, value in values.items() if value is not None}

    def _value(self, kind: Type, where: str, field: Field, *, kept: bool) -> Any:
        name = field.encode_name
        match kind:
            case UnionType(types=types):
                [one] = [type for type in types if not isinstance(type, NoneType)]
                return self._value(one, where, field, kept=kept)
            case StrType(pattern=pattern) if pattern and "https?" in pattern:
                return f"https://example.com/{self.mark(where, kept=kept)}"
            case StrType() if name == "email":
                return self.email(where, kept=kept)
            case StrType():
                return self.mark(where, kept=kept)
            case DictType():
                return {self.mark(f"{where} (name)", kept=kept): self.mark(f"{where} (value)", kept=kept)}
            case DateTimeType():
                return datetime.fromtimestamp(1_000_000_000 + secrets.randbelow(10**8), UTC).isoformat()
            case BoolType():
                return True
            case StructType():
                return self._struct(kind, where, kept=kept, given={})
        raise AssertionError(f"{where}: say what a field of {kind} is to hold")
