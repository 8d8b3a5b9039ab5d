"""Faults that only show when keys are read together, in one document: the entry, and what the single checks share."""

from collections.abc import Callable, Sequence
from datetime import date
from decimal import Decimal

from headrace.engine.findings import Finding
from headrace.engine.terms.document import Document, Faulty
from headrace.engine.terms.measuring import Part, Span
from headrace.engine.terms.messages import Path, dotted
from headrace.engine.terms.model import Terms

MONEY_WORDS = ("amount", "gross", "margin", "cost")
DAY_MIN = date(1970, 1, 1)
DAY_MAX = date(2999, 12, 31)


class Checked:
    """The terms under check, the document that they were read from, and the findings so far.

    faulty: paths whose faults are already told; what stands at, above or below them is not judged again.
    """

    def __init__(self, terms: Terms, document: Document | None = None, faulty: Faulty | None = None) -> None:
        self.terms = terms
        self.document = document or Document(None, None)
        self.faulty = faulty or Faulty()
        self.findings: list[Finding] = []

    def add(self, path: Path, code: str, /, **parameters: object) -> None:
        """Note one error of the key at this path."""
        self._note(path, self.document.finding(path, code, **parameters))

    def warn(self, path: Path, code: str, /, **parameters: object) -> None:
        """Note what is probably not meant."""
        self._note(path, self.document.warning(path, code, **parameters))

    def _note(self, path: Path, found: Finding) -> None:
        if not self.faulty.touches(path):
            self.findings.append(found)

    def refuse_said(self, path: Path, part: Part, keys: Sequence[str], why: str) -> None:
        """Note that keys, where they are written, do not apply."""
        for key in keys:
            if said(part, key):
                here = (*path, key)
                self.add(here, "does_not_apply", key=dotted(here), why=why)

    def refuse_negative(self, path: Path, given: Decimal | None, way_out: str) -> None:
        """Note a value below zero."""
        if given is not None and given < 0:
            self.add(path, "negative_refused", given=plain(given), key=str(path[-1]), way_out=way_out)

    def require_positive(self, path: Path, given: Decimal | None) -> None:
        """Note a value that is not above zero."""
        if given is not None and given <= 0:
            self.add(path, "not_positive", given=plain(given), key=str(path[-1]))

    def plausible(self, path: Path, day: date | None) -> None:
        """Note a date that stands for no end or is a slip."""
        if day is not None and not DAY_MIN <= day <= DAY_MAX:
            self.add(path, "date_implausible", given=day.isoformat(), key=str(path[-1]))

    def span(self, path: Path, from_: date | None, until: date | None) -> None:
        """Note implausible dates and an end that is not after the start."""
        self.plausible((*path, "from"), from_)
        self.plausible((*path, "until"), until)
        if from_ is not None and until is not None and from_ >= until:
            self.add((*path, "until"), "dates_out_of_order", from_=from_.isoformat(), until=until.isoformat())


type Check = Callable[[Checked], None]


def said(part: Part, key: str) -> bool:
    """Tell whether a key, by its written name, was given a value other than null."""
    name = key if key in type(part).model_fields else f"{key}_"
    return name in part.model_fields_set and getattr(part, name) not in (None, ())


def plain(number: Decimal) -> str:
    """Write a number without exponent and needless zeros.

    >>> plain(Decimal("1E+2")), plain(Decimal("0.0350"))
    ('100', '0.035')
    """
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def is_money_word(word: str) -> bool:
    """Tell whether a word of measure or base is an amount of money."""
    return word in MONEY_WORDS or word.startswith("price_list.")


def base_word(terms: Terms) -> str:
    """Give what a rate multiplies: `pays_on`, or its default."""
    of = terms.measure.of
    return terms.pays_on or (of if is_money_word(of) else "amount")


def within(span: Span, day: date) -> bool:
    """Tell whether a day lies in half-open dates."""
    return (span.from_ is None or span.from_ <= day) and (span.until is None or day < span.until)
