"""Persons: those who found the installation, those who are invited, and those whose data is erased."""

from collections.abc import Sequence
from datetime import datetime

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction

from headrace.engine.findings import Refusal
from headrace.foundation import access, acts, audit
from headrace.foundation.models import Membership, Person, RoleGrant
from headrace.foundation.roles import VENDOR, Permission, Role

__all__ = ["Person", "any_person", "erase", "found", "invite"]


def any_person() -> bool:
    """Tell whether the installation has anybody."""
    return bool(Person.objects.exists())


def found(*, emails: Sequence[str], at: datetime) -> tuple[Person, ...]:
    """Make the first administrators, of whom there must be two, since a role takes two people. Once per installation."""
    with acts.act("found_installation", at=at):
        if Person.objects.exists():
            raise Refusal("founded_already", "This installation has persons already. Its administrators invite others.")
        if len({email.lower() for email in emails}) < 2:
            raise Refusal(
                "founders",
                "Name two different e-mail addresses: roles take two people, so it needs two administrators.",
            )
        persons = tuple(_add(email, "", at) for email in emails)
        for one, other in zip(persons, (*persons[1:], persons[0]), strict=True):
            membership = Membership(person=one, organisation=VENDOR, from_on=at.date())
            membership.save()
            RoleGrant(
                membership=membership,
                role=Role.ADMINISTRATOR,
                state=RoleGrant.State.APPROVED,
                from_on=at.date(),
                requested_by=one,
                requested_at=at,
                decided_by=other,
                decided_at=at,
                founding=True,
            ).save()
    return persons


def with_email(email: str) -> Person:
    """Give the person with this address; refused if there is none."""
    person: Person | None = Person.objects.filter(email=email.strip().lower()).first()
    if person is None:
        raise Refusal("person_unknown", f"There is nobody with the address {email}.")
    return person


def invite(*, email: str, name: str, organisation: str, by: Person, at: datetime) -> Membership:
    """Make a person, unless the address is known, and a member of an organisation. They choose a password by mail."""
    day = at.date()
    if Permission.GRANT_ROLE not in access.permitted(by, VENDOR, day):
        access.require(by, organisation, Permission.MANAGE_OWN_USERS, day)
    with acts.act("invite_person", at=at):
        person = Person.objects.filter(email__iexact=email.strip()).first() or _add(email, name, at)
        return access.join(person=person, organisation=organisation, from_on=day, until_on=None, at=at)


def _add(email: str, name: str, at: datetime) -> Person:
    email = email.strip().lower()
    try:
        validate_email(email)
    except ValidationError:
        raise Refusal("email", f"{email!r} is not an e-mail address. Write it like name@example.com.") from None
    person = Person(email=email, name=name.strip(), joined_at=at)
    person.set_unusable_password()
    person.save()
    # Whoever opens the link in the mail that sets the first password has proven the address.
    EmailAddress.objects.create(user=person, email=email, primary=True, verified=True)
    return person


def erase(*, person: Person, by: Person, at: datetime) -> int:
    """Erase a person's data for good: name, address, ways to sign in, and their values in the trail, which still verifies.

    Returns how many values of the trail were erased. Refused while a role of theirs is in force.
    """
    access.require(by, VENDOR, Permission.GRANT_ROLE, at.date())
    with transaction.atomic():
        with acts.act("erase_person", at=at):
            person = Person.locked(person.pk)
            if access.roles_of(person, at.date()):
                raise Refusal("roles_in_force", f"{person} still has roles. End them first.")
            person.email, person.name, person.is_active = f"{person.pk}@erased.invalid", "", False
            person.set_unusable_password()
            person.save()
            EmailAddress.objects.filter(user=person).delete()
            Authenticator.objects.filter(user=person).delete()
            for session in UserSession.objects.filter(user=person):
                session.end()
        # After the act is sealed, since its own link holds the values as they were before.
        values = audit.erase_values(Person._meta.label_lower, str(person.pk), Person.PERSONAL)
        return values + audit.erase_addresses(person.pk)
