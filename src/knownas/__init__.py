"""Knownas: one identity and one conversation history for every end user of a business."""

__version__ = "0.1.0"
