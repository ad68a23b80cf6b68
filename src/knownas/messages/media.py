"""What is known of the files that a message shows."""

from typing import Any

from knownas.attachments import named_by
from knownas.transaction import Transaction


async def with_media(tx: Transaction, content: dict[str, Any]) -> dict[str, Any]:
    """The content with the `mediaType` and `mediaSize` of this app's own attachments; others' files are not fetched."""
    content = await _described(tx, content)
    if any("mediaUrl" in item for item in content.get("items", ())):
        items = [await _described(tx, item, sized=False) for item in content["items"]]
        content = {**content, "items": items}
    return content


async def _described(tx: Transaction, part: dict[str, Any], *, sized: bool = True) -> dict[str, Any]:
    url = part.get("mediaUrl")
    named = named_by(url) if url else None
    attachment = await tx.attachments.by_name(named[1]) if named and named[0] == tx.app_id else None
    if attachment is None:
        return part
    size = {"mediaSize": attachment.size} if sized else {}
    return {**part, "mediaType": attachment.media_type, **size}
