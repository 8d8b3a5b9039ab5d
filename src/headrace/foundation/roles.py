"""Who may do what: the roles, the permissions each carries, and which permissions one person must never hold together."""

from collections.abc import Iterable
from enum import StrEnum

VENDOR = "vendor"
"""Organisation of the company that runs this installation; every other organisation is a partner, by its id."""


class Permission(StrEnum):
    """One thing that a person may do. A service, its permission and its audit event share the verb."""

    AUTHOR_TERMS = "author_terms"
    APPROVE_TERMS = "approve_terms"
    RUN_PROGRAM = "run_program"
    ASSIGN_PROGRAM = "assign_program"
    LOAD_DATA = "load_data"
    REPAIR_DATA = "repair_data"
    EDIT_BANK_DATA = "edit_bank_data"
    APPROVE_CLAIM = "approve_claim"
    APPROVE_PAYOUT = "approve_payout"
    FINALISE = "finalise"
    RELEASE_PAYMENT = "release_payment"
    GRANT_ROLE = "grant_role"
    MANAGE_COMPANIES = "manage_companies"
    CLOSE_PERIOD = "close_period"
    READ_LEDGER = "read_ledger"
    READ_AUDIT = "read_audit"
    LOWER_EARNED = "lower_earned"
    SET_GUARDRAILS = "set_guardrails"
    WAIVE_GUARDRAIL = "waive_guardrail"
    APPROVE_BUDGET = "approve_budget"
    ADJUST_EARNED = "adjust_earned"
    ACCEPT_TERMS = "accept_terms"
    READ_ALL = "read_all"
    READ_OWN = "read_own"
    MANAGE_OWN_USERS = "manage_own_users"


class Role(StrEnum):
    """What a person is in an organisation, for a time."""

    PARTNER_USER = "partner_user"
    PARTNER_ADMIN = "partner_admin"
    SALES_REP = "sales_rep"
    CHANNEL_OPERATIONS = "channel_operations"
    PROGRAM_MANAGER = "program_manager"
    ACCOUNT_MANAGER = "account_manager"
    FINANCE_ANALYST = "finance_analyst"
    CONTROLLER = "controller"
    AUDITOR = "auditor"
    ADMINISTRATOR = "administrator"

    @property
    def label(self) -> str:
        """Give the role in words."""
        return self.value.replace("_", " ").capitalize()


PARTNER_ROLES = frozenset({Role.PARTNER_USER, Role.PARTNER_ADMIN, Role.SALES_REP})

CARRIES: dict[Role, frozenset[Permission]] = {
    Role.PARTNER_USER: frozenset({Permission.READ_OWN}),
    Role.PARTNER_ADMIN: frozenset(
        {Permission.READ_OWN, Permission.MANAGE_OWN_USERS, Permission.EDIT_BANK_DATA, Permission.ACCEPT_TERMS}
    ),
    Role.SALES_REP: frozenset({Permission.READ_OWN}),
    Role.CHANNEL_OPERATIONS: frozenset({Permission.READ_ALL, Permission.LOAD_DATA, Permission.REPAIR_DATA}),
    Role.PROGRAM_MANAGER: frozenset(
        {
            Permission.READ_ALL,
            Permission.AUTHOR_TERMS,
            Permission.APPROVE_TERMS,
            Permission.RUN_PROGRAM,
            Permission.ASSIGN_PROGRAM,
            Permission.ADJUST_EARNED,
        }
    ),
    Role.ACCOUNT_MANAGER: frozenset(
        {Permission.READ_ALL, Permission.ASSIGN_PROGRAM, Permission.EDIT_BANK_DATA, Permission.ADJUST_EARNED}
    ),
    Role.FINANCE_ANALYST: frozenset(
        {
            Permission.READ_ALL,
            Permission.READ_LEDGER,
            Permission.APPROVE_CLAIM,
            Permission.APPROVE_PAYOUT,
            Permission.FINALISE,
            Permission.SET_GUARDRAILS,
            Permission.APPROVE_BUDGET,
            Permission.CLOSE_PERIOD,
        }
    ),
    Role.CONTROLLER: frozenset(
        {
            Permission.READ_ALL,
            Permission.READ_LEDGER,
            Permission.APPROVE_TERMS,
            Permission.APPROVE_PAYOUT,
            Permission.FINALISE,
            Permission.LOWER_EARNED,
            Permission.SET_GUARDRAILS,
            Permission.WAIVE_GUARDRAIL,
            Permission.APPROVE_BUDGET,
            Permission.RELEASE_PAYMENT,
            Permission.CLOSE_PERIOD,
        }
    ),
    Role.AUDITOR: frozenset({Permission.READ_ALL, Permission.READ_LEDGER, Permission.READ_AUDIT}),
    Role.ADMINISTRATOR: frozenset({Permission.GRANT_ROLE, Permission.MANAGE_COMPANIES}),
}

CONFLICTS: tuple[tuple[Permission, Permission, str], ...] = (
    (Permission.AUTHOR_TERMS, Permission.APPROVE_CLAIM, "who writes the terms does not approve the claims under them"),
    (Permission.EDIT_BANK_DATA, Permission.RELEASE_PAYMENT, "who edits bank data does not release payments to it"),
    (Permission.LOAD_DATA, Permission.APPROVE_PAYOUT, "who loads the sales does not approve what they pay"),
    (Permission.GRANT_ROLE, Permission.RELEASE_PAYMENT, "who grants roles does not release payments"),
)

SECOND_FACTOR_AT_FIRST = frozenset(
    {Role.ADMINISTRATOR, Role.CONTROLLER, Role.FINANCE_ANALYST, Role.AUDITOR, Role.PARTNER_ADMIN}
)
"""Roles that ask for a second factor until an administrator decides otherwise."""


class Scope(StrEnum):
    """What a token is made for: never more than its person may do at the moment it is used."""

    READ = "read"
    READ_LEDGER = "read_ledger"
    READ_AUDIT = "read_audit"
    DATA = "data"
    PROGRAMS = "programs"
    APPROVE = "approve"
    CLOSE = "close"
    BANK = "bank"
    PAY = "pay"
    ADMINISTER = "administer"


SCOPES: dict[Scope, frozenset[Permission]] = {
    Scope.READ: frozenset({Permission.READ_ALL, Permission.READ_OWN}),
    Scope.READ_LEDGER: frozenset({Permission.READ_LEDGER}),
    Scope.READ_AUDIT: frozenset({Permission.READ_AUDIT}),
    Scope.DATA: frozenset({Permission.LOAD_DATA, Permission.REPAIR_DATA}),
    Scope.PROGRAMS: frozenset(
        {
            Permission.AUTHOR_TERMS,
            Permission.RUN_PROGRAM,
            Permission.ASSIGN_PROGRAM,
            Permission.SET_GUARDRAILS,
            Permission.ADJUST_EARNED,
        }
    ),
    Scope.APPROVE: frozenset(
        {
            Permission.APPROVE_TERMS,
            Permission.APPROVE_CLAIM,
            Permission.APPROVE_PAYOUT,
            Permission.APPROVE_BUDGET,
            Permission.LOWER_EARNED,
            Permission.WAIVE_GUARDRAIL,
            Permission.ACCEPT_TERMS,
        }
    ),
    Scope.CLOSE: frozenset({Permission.FINALISE, Permission.CLOSE_PERIOD}),
    Scope.BANK: frozenset({Permission.EDIT_BANK_DATA}),
    Scope.PAY: frozenset({Permission.RELEASE_PAYMENT}),
    Scope.ADMINISTER: frozenset({Permission.GRANT_ROLE, Permission.MANAGE_COMPANIES, Permission.MANAGE_OWN_USERS}),
}
"""What each scope lets a token do. Every permission is in one scope."""


def carried(roles: Iterable[Role]) -> frozenset[Permission]:
    """Give the permissions that the roles carry together.

    >>> sorted(carried([Role.SALES_REP, Role.PARTNER_USER]))
    [<Permission.READ_OWN: 'read_own'>]
    """
    return frozenset().union(*(CARRIES[role] for role in roles))


def conflict_among(permissions: frozenset[Permission]) -> str | None:
    """Say why the permissions must not be one person's, or null if they may.

    >>> conflict_among(carried([Role.ADMINISTRATOR, Role.CONTROLLER]))
    'who grants roles does not release payments'
    """
    return next((why for one, other, why in CONFLICTS if {one, other} <= permissions), None)
