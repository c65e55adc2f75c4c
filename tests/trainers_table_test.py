"""The table of range tests in trainers is that of the benchmark and of the guide's own code."""

from docs.trainers import PAGE, STACKS, lines_under, with_table


def test_the_table_is_up_to_date() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert with_table(text) == text
    assert all(f"\n| {stack} | " in text for stack in STACKS)


def test_every_stack_takes_one_line() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert {lines_under(text, heading) for heading, _ in STACKS.values()} == {1}
