"""Programs: terms and their versions, live balances, finalising, statements."""
