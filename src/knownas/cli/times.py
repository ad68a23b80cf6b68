"""Points in time as they are typed at a terminal."""

import re
from datetime import UTC, datetime
from typing import Final

from knownas.cli.terminal import Refused

_AGO: Final = re.compile(r"(\d{1,6})([smhd])")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def time_of(text: str, option: str, now_ms: int) -> int:
    """Milliseconds since 1970 for `90m` (ago), `2026-05-21` or `2026-05-21T15:53:30Z`. Raises Refused."""
    if ago := _AGO.fullmatch(text):
        return now_ms - int(ago[1]) * _SECONDS[ago[2]] * 1000
    try:
        time = datetime.fromisoformat(text)
        return int((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp() * 1000)
    except (ValueError, OverflowError):
        raise Refused(
            "bad_request", f"{option} is a time such as 2026-05-21T15:53:30Z (UTC without a zone), or 90m, 12h, 3d ago"
        ) from None
