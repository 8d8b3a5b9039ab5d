"""Closing an accounting period: what stands against it, proofs with their alarms, and the audit pack."""
