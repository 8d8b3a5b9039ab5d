"""Second-person acts: requests, their stages and decisions. Knows its subjects by kind and id only."""
