"""A slow calculator that follows docs/semantics.md line by line, to check the engine against.

It is written for reading, in exact rationals, and shares no arithmetic, calendar or pricing code with the engine: only the
model of the program document. `reference.run.calculate` is the entry.
"""
