"""The governance of programs: amendments with their effect, guardrails, assignment, budgets, adjustments, shadow runs."""
