"""The organisations that sell and buy: hierarchy, groups, levels, accounts, bank data, contacts, end customers, segments."""
