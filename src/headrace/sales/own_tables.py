"""Reference tables made of what the application itself knows of partners, products and rates, put in force when that changes.

A table of which nothing is kept here is left as it was delivered. Rates are those of the table `RATES`.
"""

from datetime import datetime

from headrace.catalogue import products, rates
from headrace.engine.findings import Refusal, has_errors
from headrace.foundation import acts, events
from headrace.masterdata import store
from headrace.partners import facts
from headrace.sales import deliveries, references
from headrace.sales.lake import opened

RATES = "ecb"


def renew(*, at: datetime) -> list[str]:
    """Put the tables in force as they are known now, and give the kinds that changed; a second time changes nothing.

    Refused (`reference_faults`), with all tables left as they were, if programs in force could not be calculated with one.
    """
    revision = store.last_revision()
    made = {
        "partners": facts.partners_table(revision),
        "products": products.products_table(revision),
        "rates": rates.rates_table(RATES, revision),
    }
    with opened() as lake:
        kept = {kind: table for kind, table in made.items() if table.num_rows}
        for kind, table in kept.items():
            faults = references.faults_with(lake, kind=kind, table=table)
            if has_errors(faults):
                raise Refusal(
                    "reference_faults",
                    f"Programs in force could not be calculated with the {kind} of revision {revision}, so the table before "
                    f"stays in force: {next(iter(faults[0].message.splitlines()))}",
                    findings=faults,
                )
        hashes = {kind: lake.store_snapshot(table) for kind, table in kept.items()}
    with acts.act("renew_reference_tables", at=at):
        if not store.still_last(revision):
            return []  # what is known changed meanwhile, and the job of that change is queued
        changed = [
            kind
            for kind, table in kept.items()
            if references.put_in_force(
                kind=kind, content_hash=hashes[kind], source=f"revision {revision}", rows=table.num_rows, at=at
            )
        ]
        if changed:
            events.announce(deliveries.LOADED)
    return changed
