from headrace.engine.findings import Finding, has_errors


def test_a_finding_gives_the_keys_of_the_public_contract_in_order() -> None:
    finding = Finding(code="date_unreadable", message="m", file="a.csv", row=7, column="occurred_on")
    assert list(finding.as_dict().items()) == [
        ("file", "a.csv"),
        ("row", 7),
        ("column", "occurred_on"),
        ("code", "date_unreadable"),
        ("severity", "error"),
        ("message", "m"),
    ]


def test_only_the_severity_error_counts_as_an_error() -> None:
    assert not has_errors([Finding(code="a", message="m", severity="warning")])
    assert has_errors([Finding(code="a", message="m", severity="info"), Finding(code="b", message="m")])
