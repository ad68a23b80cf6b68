"""Work that nobody asks for: done now and then, a bounded piece at a time, and harmless when done twice at once."""
