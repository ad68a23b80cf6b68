"""The HTTP edges: one folder a facade, and what they share. They parse, call one verb, render."""
