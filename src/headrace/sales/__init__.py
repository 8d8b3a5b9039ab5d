"""Sales data: files that are delivered, the register of their batches, what was found in them, reference tables in force."""
