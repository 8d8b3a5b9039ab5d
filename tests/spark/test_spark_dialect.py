"""What is carried from one dialect to the other, read as text; no Java is needed."""

import pytest

from headrace.engine.findings import Refusal
from headrace.engine.spark_dialect import carry, output_columns, read, relations

COLUMNS = {"base": ["line_id", "day", "m"], "sales": ["line_id", "sale_day"]}


def carried(query: str) -> str:
    return carry(read(query), COLUMNS.__getitem__)


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("SELECT l.on_ - DATE '1970-01-01' FROM base l", "SELECT UNIX_DATE(l.on_) FROM base AS l"),
        ("SELECT strlen(line_id) FROM base", "SELECT OCTET_LENGTH(line_id) FROM base"),
        ("SELECT max_by(a, k) FROM base", "SELECT MAX_BY(a, k) FILTER(WHERE NOT a IS NULL) FROM base"),
        ("SELECT a LIKE 'x\\y%' FROM base", "SELECT a LIKE 'x\\\\\\\\y%' FROM base"),
        ("SELECT CAST(a AS HUGEINT) FROM base", "SELECT CAST(a AS DECIMAL(38, 0)) FROM base"),
        (
            "SELECT b.* REPLACE (s.sale_day AS day), 1 AS one FROM base b JOIN sales s ON s.line_id = b.line_id",
            "SELECT `b`.`line_id`, s.sale_day AS day, `b`.`m`, 1 AS one FROM base AS b JOIN sales AS s ON s.line_id = b.line_id",
        ),
        (
            "SELECT * REPLACE (m + 1 AS m) FROM (SELECT * EXCLUDE (day), 2 AS k FROM base) q",
            "SELECT `line_id`, m + 1 AS m, `k` FROM (SELECT * EXCEPT (day), 2 AS k FROM base) AS q",
        ),
        (
            "SELECT max_by(CAST(a AS HUGEINT), k) FROM base",
            "SELECT MAX_BY(CAST(a AS DECIMAL(38, 0)), k) FILTER(WHERE NOT CAST(a AS DECIMAL(38, 0)) IS NULL) FROM base",
        ),
        ("SELECT a FROM base ORDER BY a", "SELECT a FROM base ORDER BY a NULLS LAST"),
        (
            "SELECT * FROM base WHERE FALSE UNION ALL BY NAME SELECT s.line_id, 1 AS more FROM sales s",
            "SELECT `line_id`, `day`, `m`, NULL AS `more` FROM (SELECT * FROM base WHERE FALSE) AS side UNION ALL "
            "SELECT `line_id`, NULL AS `day`, NULL AS `m`, `more` FROM (SELECT s.line_id, 1 AS more FROM sales AS s) AS side",
        ),
    ],
)
def test_a_construct_that_the_engines_read_differently_has_a_rule(query: str, wanted: str) -> None:
    assert carried(query) == wanted


@pytest.mark.parametrize(
    "query",
    [
        "SELECT random() FROM base",
        "SELECT list_sort([1])",
        "SELECT a FROM base ASOF JOIN sales ON TRUE",
        "SELECT a / b FROM base",
    ],
)
def test_a_construct_that_is_not_known_to_be_equal_is_refused_by_name(query: str) -> None:
    with pytest.raises(Refusal) as refused:
        carried(query)
    assert refused.value.code == "spark_cannot"


def test_the_relations_of_a_statement_are_those_it_does_not_make_itself() -> None:
    tree = read("WITH c AS (SELECT * FROM base) SELECT * FROM c JOIN sales USING (line_id)")
    assert relations(tree) == {"base", "sales"}
    assert output_columns(read("SELECT *, 1 AS one FROM base UNION ALL SELECT 1, 2, 3, 4"), COLUMNS.__getitem__) == [
        "line_id", "day", "m", "one",
    ]  # fmt: skip
    by_name = "SELECT * FROM base UNION ALL BY NAME SELECT * FROM sales"
    assert output_columns(read(by_name), COLUMNS.__getitem__) == ["line_id", "day", "m", "sale_day"]
