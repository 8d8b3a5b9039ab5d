"""What accounts and postings are: kinds with their side, and purposes with their column in the roll-forward."""

from enum import StrEnum


class Side(StrEnum):
    """Which total of an account may never be less than the other."""

    DEBIT = "debit"
    CREDIT = "credit"
    EITHER = "either"


class Kind(StrEnum):
    """What an account holds. All but the memoranda go to the general ledger."""

    # An enumeration's own hash is a Python function, and accounts are looked up by the million.
    __hash__ = str.__hash__

    CONTRA_REVENUE = "contra_revenue"
    EXPENSE = "expense"
    ACCRUED = "accrued"
    PAYABLE = "payable"
    OVERPAID = "overpaid"
    RECEIVABLE = "receivable"
    CASH = "cash"
    OFFSET = "offset"
    RELEASED = "released"
    WRITTEN_OFF = "written_off"
    OPENING = "opening"
    EXCHANGE_REALISED = "exchange_realised"
    EXCHANGE_UNREALISED = "exchange_unrealised"
    ACCRUED_REVALUED = "accrued_revalued"
    PAYABLE_REVALUED = "payable_revalued"
    OVERPAID_REVALUED = "overpaid_revalued"
    EARNED = "earned"
    EARNED_CONTROL = "earned_control"
    ACCRUED_STOCK = "accrued_stock"
    STOCK_CHARGE = "stock_charge"
    FUND_GRANTED = "fund_granted"
    FUND_AVAILABLE = "fund_available"
    FUND_RESERVED = "fund_reserved"
    FUND_SPENT = "fund_spent"

    @property
    def side(self) -> Side:
        """Give the side that is never the smaller one."""
        if self in (Kind.ACCRUED, Kind.PAYABLE, Kind.ACCRUED_STOCK):
            return Side.CREDIT
        if self in (Kind.OVERPAID, Kind.FUND_AVAILABLE, Kind.FUND_RESERVED, Kind.FUND_SPENT):
            return Side.DEBIT
        return Side.EITHER

    @property
    def label(self) -> str:
        """Give the kind in words."""
        return self.value.replace("_", " ").capitalize()


MEMORANDA = frozenset(
    {
        Kind.EARNED,
        Kind.EARNED_CONTROL,
        Kind.FUND_GRANTED,
        Kind.FUND_AVAILABLE,
        Kind.FUND_RESERVED,
        Kind.FUND_SPENT,
    }
)
"""Kinds that are kept beside the books."""

REVALUED = {
    Kind.ACCRUED: Kind.ACCRUED_REVALUED,
    Kind.PAYABLE: Kind.PAYABLE_REVALUED,
    Kind.OVERPAID: Kind.OVERPAID_REVALUED,
}
"""Which account beside an open foreign-currency one takes its revaluation."""

LIABILITIES = (Kind.ACCRUED, Kind.PAYABLE, Kind.ACCRUED_STOCK)
"""What the roll-forward rolls, with the accounts of their revaluation."""

ESTIMATES = {Kind.ACCRUED_STOCK: Kind.STOCK_CHARGE}
"""Provisions that stand apart from what is accrued on sales, with what they are charged to; nothing is paid from them."""


class Column(StrEnum):
    """Where a change of the liability stands in the roll-forward."""

    BROUGHT = "brought"
    PROVIDED = "provided"
    TRUED = "trued"
    SETTLED = "settled"
    RELEASED = "released"
    EXCHANGE = "exchange"


class Purpose(StrEnum):
    """Why a posting was made."""

    OPEN = "open"
    PROVIDE = "provide"
    TRUE_UP = "true_up"
    EARN = "earn"
    OVERPAY = "overpay"
    APPROVE = "approve"
    SETTLE = "settle"
    VOID = "void"
    NET = "net"
    RECOVER = "recover"
    WRITE_OFF = "write_off"
    RELEASE = "release"
    REALISE = "realise"
    REVALUE = "revalue"
    GRANT = "grant"
    RESERVE = "reserve"
    SPEND = "spend"
    GIVE_BACK = "give_back"
    END = "end"


COLUMN_OF = {
    Purpose.OPEN: Column.BROUGHT,
    Purpose.PROVIDE: Column.PROVIDED,
    Purpose.TRUE_UP: Column.TRUED,
    Purpose.SETTLE: Column.SETTLED,
    Purpose.VOID: Column.SETTLED,
    Purpose.NET: Column.SETTLED,
    Purpose.RELEASE: Column.RELEASED,
    Purpose.REVALUE: Column.EXCHANGE,
}
"""The column of every purpose that changes a liability; approving moves inside it, the others do not touch it."""
