"""What every app stands on: persons, companies, memberships, roles, audit trail, outbox, files and jobs.

Knows no program and no sale.
"""
