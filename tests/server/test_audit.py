"""Every change is in the trail, the trail is append only in the database, and a chain that was touched does not verify."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import Context

import pytest
from django.db import DatabaseError, connection, transaction

from headrace.engine.findings import Refusal
from headrace.foundation import access, acts, audit, people
from headrace.foundation.models import AuditEntry, AuditLink, Person
from headrace.foundation.roles import Role
from tests.server.conftest import NOW, Admins, MakePerson


def sql(statement: str, *values: str | int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)


@contextmanager
def without_triggers() -> Iterator[None]:
    """Act as somebody with the rights of the owner of the tables."""
    if connection.vendor == "postgresql":
        sql("SET CONSTRAINTS ALL IMMEDIATE")
        for table in ("foundation_auditlink", "foundation_auditentry"):
            sql(f"ALTER TABLE {table} DISABLE TRIGGER USER")
    else:
        for table in ("foundation_auditlink", "foundation_auditentry"):
            for what in ("update", "delete", "replace"):
                sql(f"DROP TRIGGER {table}_no_{what}")
    yield


def messages(witnessed: audit.Head | None = None) -> str:
    return " ".join(finding.message for finding in audit.verify(witnessed).findings)


def test_a_change_is_kept_with_who_when_where_before_and_after(admins: Admins) -> None:
    ada = admins[0]
    before = audit.head()
    with acts.acting_as(acts.Actor(ada.pk, "web", "198.51.100.4")), acts.act("rename", at=NOW):
        ada.name = "Ada Byron"
        ada.save()
    link = AuditLink.objects.get(seq=before.seq + 1)
    assert (link.act, link.at, link.actor) == ("rename", NOW, f"person:{ada.pk}")
    assert list(link.entries.order_by("position").values_list("record", "record_id", "field", "before", "after")) == [
        ("foundation.person", str(ada.pk), "name", '""', '"Ada Byron"'),
        ("act", "", "address", "null", '"198.51.100.4"'),
    ]


def test_a_save_outside_of_any_act_is_an_act_of_its_own(admins: Admins) -> None:
    admins[0].name = "Ada"
    admins[0].save()
    assert AuditLink.objects.get(seq=audit.head().seq).act == "change_person"


def test_nothing_changes_unless_somebody_acts(admins: Admins) -> None:
    def save() -> None:
        admins[0].name = "nobody did this"
        admins[0].save()

    with pytest.raises(LookupError):
        Context().run(save)
    assert Person.objects.get(pk=admins[0].pk).name == ""


@pytest.mark.parametrize("past", ["update", "delete", "bulk_create", "bulk_update"])
def test_there_is_no_way_past_the_trail(past: str, admins: Admins) -> None:
    with pytest.raises(AssertionError):
        getattr(Person.objects.all(), past)()
    with pytest.raises(AssertionError):
        admins[0].delete()


def test_a_refused_act_leaves_no_link(admins: Admins) -> None:
    before = audit.head()
    with pytest.raises(Refusal):
        people.found(emails=("x@example.com", "y@example.com"), at=NOW)
    assert audit.head() == before


def test_asvs_11_4_2_a_password_is_never_in_the_trail(admins: Admins) -> None:
    admins[0].set_password("secret words of mine")
    admins[0].save()
    assert AuditEntry.objects.filter(field="password").exclude(after='"(secret)"').count() == 0
    assert AuditEntry.objects.filter(field="password", after='"(secret)"').exists()


def test_the_chain_of_an_untouched_trail_holds(person_with: MakePerson) -> None:
    person_with(Role.AUDITOR)
    verified = audit.verify()
    assert verified.findings == ()
    assert verified.links == AuditLink.objects.count() == verified.head.seq
    assert verified.entries == AuditEntry.objects.count()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE foundation_auditlink SET actor = 'somebody else'",
        "DELETE FROM foundation_auditlink",
        "UPDATE foundation_auditentry SET after = '\"forged\"'",
        "UPDATE foundation_auditentry SET field = 'x', before = NULL, after = NULL, salt = NULL",
        "UPDATE foundation_auditentry SET after = NULL",
        "DELETE FROM foundation_auditentry",
    ],
)
def test_asvs_16_4_2_the_database_refuses_to_change_the_trail(statement: str, admins: Admins) -> None:
    with pytest.raises(DatabaseError, match="append only"), transaction.atomic():
        sql(statement)
    assert audit.verify().findings == ()


def test_asvs_16_4_2_neither_truncated_nor_replaced(admins: Admins) -> None:
    if connection.vendor == "postgresql":
        statement = "TRUNCATE foundation_auditlink CASCADE"
        sql("SET CONSTRAINTS ALL IMMEDIATE")
    else:
        statement = (
            "INSERT OR REPLACE INTO foundation_auditlink (seq, at, actor, act, previous, digest) "
            "SELECT seq, at, 'forged', act, previous, digest FROM foundation_auditlink"
        )
    with pytest.raises(DatabaseError, match="append only"), transaction.atomic():
        sql(statement)
    assert audit.verify().findings == ()


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("UPDATE foundation_auditlink SET actor = 'somebody else' WHERE seq = 1", "Link 1: who, when or what"),
        ("UPDATE foundation_auditlink SET at = '2020-01-01 00:00:00+00:00' WHERE seq = 1", "Link 1: who, when or what"),
        ("UPDATE foundation_auditentry SET after = '\"forged\"' WHERE field = 'email'", "values of foundation.person"),
        ("DELETE FROM foundation_auditentry WHERE field = 'email'", "an entry of it is missing"),
    ],
)
def test_whoever_takes_the_triggers_away_is_found_out(statement: str, says: str, admins: Admins) -> None:
    with without_triggers():
        sql(statement)
        assert says in messages()


def test_links_cut_off_at_the_end_are_found_out(admins: Admins, person_with: MakePerson) -> None:
    person_with(Role.AUDITOR)
    witnessed = audit.head()
    with without_triggers():
        sql("DELETE FROM foundation_auditentry WHERE link_id = %s", witnessed.seq)
        sql("DELETE FROM foundation_auditlink WHERE seq = %s", witnessed.seq)
        assert "the chain ends at" in messages()
        last = AuditLink.objects.order_by("-seq")[0]
        sql("UPDATE foundation_audithead SET seq = %s, digest = %s", last.seq, last.digest)
        assert messages() == ""
        assert "the witnessed head is not in this chain" in messages(witnessed)


def test_an_earlier_head_is_a_link_of_a_chain_that_grew(admins: Admins, person_with: MakePerson) -> None:
    witnessed = audit.Head.parse(str(audit.head()))
    person_with(Role.AUDITOR)
    assert messages(witnessed) == ""


def test_erasing_a_person_leaves_no_value_and_the_chain_holds(admins: Admins, person_with: MakePerson) -> None:
    cleo = person_with(email="cleo.erased@example.com")
    with acts.acting_as(acts.Actor(cleo.pk, "web", "203.0.113.9")):
        cleo.name = "Cleo Erased"
        cleo.save()
    # e-mail and name on joining, name on renaming, both on erasing: 5; and the address the renaming came from: 1.
    assert people.erase(person=cleo, by=admins[0], at=NOW) == 6
    verified = audit.verify()
    assert verified.findings == ()
    assert verified.erased == 6
    kept = str(list(AuditEntry.objects.values_list("before", "after")))
    assert "cleo.erased" not in kept
    assert "Cleo Erased" not in kept
    assert "203.0.113.9" not in kept
    assert not Person.objects.get(pk=cleo.pk).is_active


def test_nobody_with_a_role_is_erased(admins: Admins, person_with: MakePerson) -> None:
    auditor = person_with(Role.AUDITOR)
    with pytest.raises(Refusal) as refused:
        people.erase(person=auditor, by=admins[0], at=NOW)
    assert refused.value.code == "roles_in_force"
    assert access.roles_of(auditor, NOW.date()) == {Role.AUDITOR}


def test_the_reader_shows_the_acts_of_one_record(admins: Admins) -> None:
    lines = audit.read(record_id=str(admins[1].pk))
    assert [line.act for line in lines] == ["found_installation"]
    assert audit.read(before=1) == ()
