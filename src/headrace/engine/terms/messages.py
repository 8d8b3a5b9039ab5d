"""What is said about faults of a document: one English sentence per code, with its parameters.

Everything that reports a fault names a code and parameters; the sentence is made here, so that other languages can follow.
A sentence says what is wrong and what would be right.
"""

from collections.abc import Mapping

from headrace.engine.findings import Finding, Severity

type Path = tuple[str | int, ...]

ENGLISH: dict[str, str] = {
    # reading
    "file_missing": "There is no file {file}",
    "file_unreadable": "{file} cannot be read: {problem}",
    "file_too_large": "{file} has {size} bytes, and a document has at most {most}; put long rate tables into a `table_file`",
    "not_utf8": "Byte {position} is not UTF-8; save the file as UTF-8",
    "document_empty": "There is no program in here; a document starts with `program:`, `currency:` and `schedule:`",
    "document_not_mapping": "A program is written as keys with values, like `program: my-program`, and this is {found}",
    "yaml_syntax": "This is not valid YAML: {problem}",
    "yaml_tab": "There is a tab here; indent with spaces",
    "yaml_character": "The character {character} is not allowed in a document",
    "yaml_alias": "`*{name}` repeats another part of the document; write the value out, so that it can be reviewed here",
    "yaml_anchor": "`&{name}` marks a part for repetition, which documents do not do; remove it",
    "yaml_tag": "The tag {tag} is not allowed; remove it, values need none",
    "yaml_merge": "`<<` merges another part of the document; write the keys out",
    "yaml_directive": "A `%` directive is not allowed; remove it",
    "key_not_word": "A key must be one word, and this is a list or mapping",
    "key_twice": "`{key}` is already written on line {first}; keep one of the two",
    "too_deep": "This is nested deeper than {most} levels, and no key of a document needs that",
    "json_syntax": "This is not valid JSON: {problem}",
    # keys and values
    "key_unknown": "`{key}` is not a key of {part}{hint}",
    "number_split": "A comma inside braces starts a new key, so {key} is read as one; write numbers without commas and with a "
    "decimal point",
    "key_missing": "`{key}` is missing from {part}{hint}",
    "value_not_in_list": "{given} is not one of {allowed}{hint}",
    "value_not_word": "{given} is not a word for {key}{hint}; it may be {allowed}",
    "value_not_text": "{key} takes a text, and this is {found}",
    "value_not_list": "{key} takes a list, and this is {found}",
    "value_not_mapping": "{key} takes keys with values, and this is {found}; it may have {allowed}",
    "value_empty": "{key} is empty; give it a value or leave it out",
    "value_too_long": "{key} has more than {most} characters",
    "list_empty": "{key} is an empty list; give it a value or leave the key out",
    "number_range": "{given} is not between {least} and {most}",
    "number_digits": "{given} is too large; {key} has at most {most} digits before the decimal point",
    "number_places": "{given} has more decimals than {key} keeps; write at most {most}",
    "number_grouped": "{given} is not a plain number; write it as {right}",
    "number_comma": "{given} has a decimal comma; write it as {right}",
    "number_percent": "{given} is a percentage, and {key} takes a plain number",
    "not_a_number": "{given} is not a number; write digits with a decimal point, like 1250.50",
    "not_whole": "{given} is not a whole number",
    "not_true_or_false": "{given} is neither true nor false",
    "date_format": "{given} is not a date; write it as 2026-07-01",
    "date_unknown": "{given} is not a day of the calendar",
    "value_invalid": "{key}: {problem}",
    "date_implausible": "{given} is not a plausible date; leave {key} out where there is no end",
    "dates_out_of_order": "{from_} is not before {until}; `until` is the day after the last",
    # types
    "type_unknown": "{given} is not a type of program{hint}; the types are {allowed}",
    "key_not_for_type": "`{key}` does not apply to a {type}: {why}",
    "key_fixed_by_type": "A {type} has `{key}: {right}`; leave the key out, or use type custom",
    "key_needed_by_type": "A {type} needs `{key}`: {why}",
    "sales_format": "{given} is not an amount with its unit; write it as `10000 USD` or `10 units`",
    "reward_format": "{given} is not a reward; write it as `500 USD`, `5 %` or `200 PTS`",
    "reward_currency": "The program pays {reward}, and `currency` says {currency}; write one of the two",
    "sales_with_schedule": "`sales` and `reward` say what is paid, and so does `schedule`; keep one of the two",
    "sales_currency": "Sales are in {sales} and the reward is in {reward}; one program has one currency of money",
    "window_twice": "`windows.resale` gives the dates of the sales, and so does `valid`; keep one of the two",
    # schedule
    "pricing_missing": "The schedule pays nothing; write one of tiers, table, table_file, package, free_goods, price_change",
    "pricing_twice": "The schedule has {given}; exactly one of them says what is paid",
    "does_not_apply": "`{key}` does not apply here: {why}",
    "tier_edge_missing": "A tier needs its lower edge: `from` (reached at it) or `above` (reached past it)",
    "tier_edge_twice": "A tier has one lower edge: `from` {from_} or `above` {above}, not both",
    "tier_edge_order": "{edge} is not past the edge before it, {previous}; tiers rise, and each holds until the next one's edge",
    "tier_edge_negative": "An edge of {edge} is below zero; the first tier starts `from: 0`",
    "tier_pays_nothing_said": "The tier does not say what it pays; write `rate: 0` where it pays nothing",
    "tier_parts_exclude": "A tier has either a special price or rates, and this one has {given}",
    "tier_name_twice": "Two tiers are called {name}; give each its own name",
    "negative_unreached": "`{key}` extends the first tier below zero only where that tier starts at 0, and it does not",
    "tier_unreachable": "The measure stops counting at {most}, so the tier at {edge} is never reached",
    "row_pays_nothing_said": "The row does not say what it pays; write rate or per_unit (`rate: 0` where it pays nothing)",
    "row_twice": "The conditions are those of row {first}, so this row never counts; keep one of the two",
    "negative_refused": "{given} is below zero, and {key} cannot be; {way_out}",
    "not_positive": "{key} must be above zero, and it is {given}",
    "rate_looks_like_percent": '{given} would pay {percent} % of the base; for {given} % write {right} or "{given} %"',
    "rate_past_base": "{given} would pay {percent} % of the base, more than the base itself",
    "margin_past_one": '{given} is not a margin; it lies below 1, for 20 % write 0.20 or "20 %"',
    "edges_look_like_fraction": "Edges are percentages here, so {edge} means {edge} %; for {right} % write {right}",
    "edges_look_like_percent": "Edges are multiples here, so {edge} means {edge} times the {what}; for {edge} % write {right}",
    "edges_look_like_growth": "Edges are multiples of the baseline here, so {edge} is reached at {percent} % of it; for "
    "growth of {percent} % write {right}",
    "no_baseline_zero_multiple": "Every multiple of a baseline of 0 is 0, so a scope without a baseline reaches the top tier; "
    "write `as: amount`, or `no_baseline: skip`",
    "price_change_parts": "A price change is either `from` with `to`, or `drop`",
    "price_change_rises": "The price rises from {from_} to {to}; price protection pays for a fall",
    "free_empty": "A free allowance needs `lines` or `amount`",
    "changes_out_of_order": "{on} is not after the change before it, {previous}",
    "changes_outside_validity": "{on} lies outside the dates of the version, {valid}",
    "changes_kind": "A change replaces the schedule's {needed}, so it needs {needed} and nothing else",
    # measure
    "unit_mix": "`{minus}` cannot be taken off `{of}`: one is {minus_unit}, the other {of_unit}",
    "word_twice": "`{word}` is written twice",
    "interim_not_shorter": "Interim settlements every {every} are not shorter than the measure's period, {measure}",
    # parties, currency, settling
    "currency_unknown": "{given} is not an ISO 4217 currency{hint}; a word of your own needs `settle: {{ as: points }}`",
    "money_not_iso": "{given} is not an ISO 4217 currency{hint}",
    "money_needed": "The program pays {currency} and reads amounts of money, so `money` must say in which currency, like "
    "`money: USD`",
    "points_currency": "Points are paid in a currency of your own, like PTS, and {currency} is money",
    "decimals_past_currency": "{currency} has {minor} decimals, so an amount with {decimals} cannot be paid",
    "stages_two": "Two stages would count the same goods each time they change hands; count one, or write `internal: true` or "
    "`internal: false` beside the list to say that you mean it",
    "returns_ignored": "Sales count and returns do not, so goods that come back stay paid; add `return` to `kinds`",
    "floor_past_cap": "The floor {floor} is above the cap {cap}",
    "guarantee_past_cap": "The guarantee {guarantee} is above the payout limit {cap}, and is paid all the same",
    "tier_name_unknown": "{given} is no tier's name{hint}; `accrue.at` is achieved, forecast or a tier's name",
    "nobody_enrolled": "`enrolled: true` lets in only earners with an `inputs` row that has `enrolled_from`, and there is "
    "none yet",
    # inputs
    "input_twice": "The row says {what} again for the same earner, scope and dates as row {first}",
    "input_empty": "The row says nothing; give it a target, baseline, rate, cap or enrolment, or remove it",
    "input_scope_word": "`{word}` is not a word of `measure.per`, which has {allowed}",
    "input_scope_missing": "The scope has {missing} too; give its value under `scope`",
    # rules
    "rule_fault": "{problem}",
    "rule_table": "{column} cannot be read here: {why}",
    "rule_column_near": "{column} is not a column that Headrace knows; if it is not one of your own, write {near}",
    # table files
    "table_file_outside": "{file} does not lie beside the document; give a name without folders above it",
    "table_file_needs_document": "{file} is read beside the document, and this text has no file",
    "table_file_kind": "{file} is neither CSV nor XLSX",
    "table_file_broken": "{file} cannot be read as a table: {problem}",
    "table_file_column": "`{key}` is not a column of a rate table{hint}; they are {allowed}",
    "table_file_empty": "{file} has no rows",
    "table_file_rows": "{file} has more than {most} rows",
    "table_file_width": "The row has {found} values and the header {expected}",
    # several documents
    "version_twice": "Version {version} of {program} is already in {first}",
    "version_differs": "Versions of {program} differ in `{key}` ({first} in version {version}); the measure runs on through a "
    "period, so they must agree unless the later one says `applies: next_period`",
    "version_currency": "Versions of {program} differ in `{key}`; a program pays in one currency, so start a new program",
    "group_order_twice": "Programs {first} and {program} both have order {order} in group {group}; give each its own",
    "group_rule_mixed": "Group {group} is {rule} in {program} and {other} in {first}; one group has one rule",
    "group_currency": "Group {group} compares amounts of {program} in {currency} with those of {first} in {other}; one "
    "{rule} group has one currency",
}


def text_of(code: str, parameters: Mapping[str, object]) -> str:
    """Render the English sentence of a code."""
    text = ENGLISH[code].format(**parameters)
    return text if text.endswith((".", "?", "!", "^")) else f"{text}."


def dotted(path: Path) -> str:
    """Give the path as people read it, positions from 1.

    >>> dotted(("schedule", "tiers", 0, "rate"))
    'schedule.tiers[1].rate'
    """
    text = ""
    for step in path:
        text += f"[{step + 1}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def finding(
    code: str,
    parameters: Mapping[str, object] | None = None,
    *,
    source: str | None,
    line: int | None,
    path: Path = (),
    severity: Severity = "error",
) -> Finding:
    """Give a finding about a document, with its sentence."""
    return Finding(
        code=code,
        message=text_of(code, parameters or {}),
        severity=severity,
        file=source,
        row=line,
        column=dotted(path) or None,
    )
