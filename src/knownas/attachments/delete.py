"""Remove an attachment."""

from knownas.attachments import Attachment, AttachmentNotFound, is_name
from knownas.transaction import Transaction


async def get_attachment(tx: Transaction, name: str) -> Attachment:
    """The attachment of this name. Raises AttachmentNotFound."""
    found = await tx.attachments.by_name(name) if is_name(name) else None
    if found is None:
        raise AttachmentNotFound
    return found


async def delete_attachment(tx: Transaction, name: str) -> None:
    """Have the attachment served no more; its file is still to be removed. Raises AttachmentNotFound."""
    tx.attachments.remove(await get_attachment(tx, name))


async def forget_attachments(tx: Transaction, names: list[str]) -> None:
    """Forget attachments that were removed, once their files are removed too."""
    tx.attachments.forget(names)
