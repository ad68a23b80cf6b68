"""Tell webhooks what was committed: the outbox in, HTTP out (docs/decisions/0008-delivery.md)."""
