"""FusionAuth's wire format: so far what its webhooks are told."""
