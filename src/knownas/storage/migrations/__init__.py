"""Numbered SQL files, applied in order (knownas.storage.migrate)."""
