"""The lake's register in the application's database: the tests of appending, over these tables."""

from datetime import timedelta
from pathlib import Path

import pytest
from django.db import IntegrityError, transaction

from headrace.engine.findings import Refusal
from headrace.lake import Lake, State
from headrace.lake.owner import owner_name
from headrace.sales import models
from headrace.sales.register import DatabaseRegister
from tests.lake import test_appending as port
from tests.lake.channel import lines, take_in
from tests.server.conftest import NOW

pytestmark = pytest.mark.django_db

test_gives_back_every_line = port.test_gives_back_every_line_that_was_added_with_its_batch
test_batches_count_up_from_one_without_gaps = port.test_batches_count_up_from_one_without_gaps
test_same_batch_twice_adds_nothing = port.test_same_batch_twice_adds_nothing_and_names_the_earlier_one
test_same_file_read_by_another_profile = port.test_same_file_read_by_another_profile_is_another_batch
test_line_already_in_the_lake = port.test_line_already_in_the_lake_comes_back_with_the_batch_that_holds_it
test_batch_of_only_known_lines = port.test_batch_of_only_known_lines_is_appended_with_none
test_batch_overtaken_by_a_later_one = port.test_batch_overtaken_by_a_later_one_goes_on_under_a_new_number
test_refused_batch_may_come_again = port.test_refused_batch_may_come_again
test_batch_that_breaks_the_contract = port.test_batch_that_breaks_the_contract_is_refused_and_nothing_changes
test_as_of_shows_what_was_there_then = port.test_as_of_shows_what_was_there_then


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """Give an empty lake whose register lies in the database."""
    return Lake.create(tmp_path / "lake", register=DatabaseRegister())


def test_posting_marks_once_and_only_what_is_in_the_lake(lake: Lake) -> None:
    batch = lake.register_batch(b"first", source="f")
    register = lake.register
    with pytest.raises(Refusal, match="take it in first"):
        register.mark_posted(1, at=batch.registered_at)
    lake.append(batch, lines(["A"]))
    register.mark_posted(1, at=batch.registered_at)
    register.mark_posted(1, at=batch.registered_at)
    found = register.batch(1)
    assert found is not None
    assert found.state is State.POSTED


def test_the_lease_is_held_by_one_and_taken_over_when_it_ran_out(db: None) -> None:
    register, later = DatabaseRegister(), NOW + timedelta(seconds=30)
    first = register.acquire(owner=owner_name(), now=NOW, expires_at=later)
    assert first is not None
    assert register.acquire(owner=owner_name(), now=later - timedelta(seconds=1), expires_at=later) is None
    second = register.acquire(owner=owner_name(), now=later, expires_at=later + timedelta(seconds=30))
    assert second is not None
    assert (second.taken_over, second.token) == (True, first.token + 1)
    with pytest.raises(Refusal) as refused:
        register.extend(first, expires_at=later)
    assert refused.value.code == "lease_lost"
    register.release(first)
    assert register.acquire(owner=owner_name(), now=later, expires_at=later) is None
    register.release(second)
    third = register.acquire(owner=owner_name(), now=later, expires_at=later)
    assert third is not None
    assert not third.taken_over


def test_a_lease_whose_holder_is_dead_is_taken_over_at_once(db: None) -> None:
    register = DatabaseRegister()
    host, _, _, chance = owner_name().split("|")
    dead = register.acquire(owner=f"{host}|4194304|1|{chance}", now=NOW, expires_at=NOW + timedelta(hours=1))
    assert dead is not None
    taken = register.acquire(owner=owner_name(), now=NOW, expires_at=NOW + timedelta(hours=1))
    assert taken is not None
    assert taken.taken_over


def test_whoever_lost_the_lease_marks_nothing(lake: Lake) -> None:
    register = DatabaseRegister()
    lake.register_batch(b"first", source="f")
    lost = register.acquire(owner=owner_name(), now=NOW, expires_at=NOW)
    assert lost is not None
    register.acquire(owner=owner_name(), now=NOW, expires_at=NOW)
    with pytest.raises(Refusal) as refused:
        register.mark_appended(1, accepted=1, duplicates=0, token=lost.token, at=NOW)
    assert refused.value.code == "lease_lost"
    assert register.batches()[0].state is State.REGISTERED


def test_raw_files_are_forgotten_when_nobody_uses_them(lake: Lake) -> None:
    take_in(lake, "first", lines(["A"]))
    take_in(lake, "second", lines(["B"]))
    first, second = lake.register.batches()
    models.Batch.objects.filter(pk=2).update(raw=first.raw)
    lake.register_batch(b"third", source="t")
    models.Batch.objects.filter(pk=3).update(raw=second.raw)
    assert lake.register.forget_raw([1]) == [first.raw]
    assert [batch.raw for batch in lake.register.batches()] == [None, None, second.raw]


def test_the_command_line_cannot_write_past_the_database(lake: Lake) -> None:
    alone = Lake(lake.folder)
    assert alone.last_batch_seq() == 0
    with pytest.raises(Refusal) as refused:
        alone.register_batch(b"x", source="x")
    assert refused.value.code == "register_elsewhere"


@pytest.mark.parametrize(
    "wrong",
    [
        {"state": "appended"},
        {"state": "registered", "accepted": 1, "duplicates": 0},
        {"state": "refused"},
        {"state": "unheard of"},
        {"batch_seq": 0, "state": "registered"},
        {"content_hash": "taken", "state": "registered"},
    ],
)
def test_the_database_itself_refuses_a_batch_that_cannot_be(db: None, wrong: dict[str, object]) -> None:
    models.Batch.objects.create(batch_seq=1, content_hash="taken", source="s", state="registered", registered_at=NOW)
    given = {"batch_seq": 2, "content_hash": "c", "source": "s", "registered_at": NOW, **wrong}
    with pytest.raises(IntegrityError), transaction.atomic():
        models.Batch.objects.create(**given)
