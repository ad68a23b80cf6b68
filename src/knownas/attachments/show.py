"""Tie attachments to the message that shows them, so that they go with it."""

from knownas.attachments import names_in
from knownas.messages import Message
from knownas.transaction import Transaction


def show(tx: Transaction, message: Message) -> None:
    """Hold, for a message that is being posted, that it shows the attachments in its content.

    An attachment belongs to the first message that shows it. A later one may repeat its address and takes nothing
    along when it goes, so that nobody's file is removed by somebody else's message.
    """
    for name in names_in(message.content, tx.app_id):
        tx.attachments.show(name, message.id, message.conversation_id, message.author.user_id)
