"""The double-entry ledger: accounts, entries, postings, balances, accounting periods. It knows no program, claim or payment."""
