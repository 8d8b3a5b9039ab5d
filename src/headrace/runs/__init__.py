"""A calculation as a record: where its inputs come from, how it is written, computed again, simulated, finalised."""
