"""The tables of the catalogue. Private to this app: others call its services and selectors."""

from django.db import models


class Quote(models.Model):
    """One unit of a currency in another on a day, in a named table; the latest known counts. Append only.

    rate: decimal text as the source wrote it, so that no digit is lost.
    """

    table = models.CharField(max_length=60)
    day = models.DateField()
    from_currency = models.CharField(max_length=3)
    to_currency = models.CharField(max_length=3)
    rate = models.CharField(max_length=60)
    revision = models.ForeignKey("masterdata.Revision", on_delete=models.PROTECT, related_name="+")

    class Meta:
        constraints = (
            models.UniqueConstraint(
                "table", "day", "from_currency", "to_currency", "revision", name="one_quote_a_revision"
            ),
        )
