"""Follow the pointers of merged rows to their end, as one question.

Between two questions an undoing could come, and the first answer would lead to a row that is not its survivor any more.
"""

from typing import Final, Literal


def up(table: Literal["users", "conversations"]) -> str:
    """The beginning of a statement, whose `$2` is the id at which the pointers are taken up."""
    return f"""
    WITH RECURSIVE up(id, merged_into) AS (
        SELECT f.id, f.merged_into FROM {table} f WHERE f.app_id = $1 AND f.id = $2
        UNION
        SELECT f.id, f.merged_into FROM up JOIN {table} f ON f.app_id = $1 AND f.id = up.merged_into
    )"""  # noqa: S608  the names are ours


END: Final = "(SELECT id FROM up WHERE merged_into IS NULL)"
"""The id at which they end."""


def members(parameter: int) -> str:
    """All ids that stand for the user whose id is this parameter, her own too, as a list to compare with."""
    return f"""(
        WITH RECURSIVE member(id) AS (
            SELECT CAST(${parameter} AS TEXT)
            UNION
            SELECT u.id FROM users u JOIN member m ON u.app_id = $1 AND u.merged_into = m.id
        )
        SELECT id FROM member
    )"""  # noqa: S608  the number is ours
