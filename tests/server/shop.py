"""A shop whose file has a fault of every kind, small enough to work by hand."""

import uuid

from django.utils import timezone

from headrace.foundation.models import Person
from headrace.sales import deliveries
from headrace.sales.models import Delivery, DeskRow
from tests.server.channel import Team, activated, delivered, work
from tests.server.master import load

PROFILE = """\
profile: shop
name: A shop
source: shop
dates: {order: ymd}
line_key: {columns: [invoice, pos]}
require_known: [partner, product]
suspects: [occurred_on, partner_id, product_id, quantity, amount]
fields:
  occurred_on: day
  partner_id: dealer
  product_id: item
  quantity: qty
  amount: amount
  currency: {constant: USD}
"""
HEAD = "invoice,pos,day,dealer,item,qty,amount\n"
# Row 2 loads. Rows 3 and 4 name a dealer as nobody knows it, 5 has no such day, 6 equals row 2, 7 names an unknown item, 8 is cut
# short, 9 has no quantity. Received 8 rows with 600 + 100 + 50 + 70 + 600 + 40 + 0 + 90 = 1,550.
FAULTY = HEAD + (
    "R1,1,2026-01-05,A,K1,1,600\n"
    "R2,1,2026-01-06,Acme Incorp.,K1,2,100\n"
    "R3,1,2026-01-07,Acme Incorp.,K1,1,50\n"
    "R4,1,2026-13-45,B,K1,1,70\n"
    "R5,1,2026-01-05,A,K1,1,600\n"
    "R6,1,2026-01-09,B,K9,1,40\n"
    "R7,1,2026-01-10,B\n"
    "R8,1,2026-01-10,B,K1,x,90\n"
)
PARTNERS = "partner_id,name\nA,Acme Inc\nB,Bolt Ltd\n"
PRODUCTS = "product_id,name\nK1,Access point\n"


def opened(channel: Team) -> None:
    """Make partners and products known, save the profile, and bring the program in force."""
    at = timezone.now()
    load("partner", PARTNERS, channel.loader, at=at)
    load("product", PRODUCTS, channel.loader, at=at)
    deliveries.save_profile(text=PROFILE, by=channel.loader, at=at)
    activated(channel)
    work()


def shop_file(channel: Team, text: str = FAULTY, name: str = "shop.csv") -> Delivery:
    """Deliver a file of the shop, and let the worker load it."""
    return delivered(channel, text, name, profile="shop")


def row_of(delivery: Delivery, number: int) -> uuid.UUID:
    """Give the row of a delivery at the desk, by its number in the file."""
    return DeskRow.objects.get(delivery=delivery, row=number).pk


def loader_too(channel: Team, admins: tuple[Person, Person]) -> Person:
    """Give a second person who repairs."""
    from headrace.foundation import access, people
    from headrace.foundation.roles import VENDOR, Role

    at = timezone.now()
    member = people.invite(email="second@example.com", name="second", organisation=VENDOR, by=admins[0], at=at)
    asked = access.request_role(
        membership=member.pk, role=Role.CHANNEL_OPERATIONS, by=admins[0], from_on=at.date(), at=at
    )
    access.approve_role(grant=asked.pk, by=admins[1], at=at)
    return member.person
