"""Every parser of hostile bytes gives a value or its own error; `make fuzz` tries for minutes."""

from random import Random

import pytest

from support.parsers import parsers, try_changed

PARSERS = parsers()
each_parser = pytest.mark.parametrize("parser", PARSERS, ids=lambda parser: parser.name)


@each_parser
def test_what_changes_begin_from_is_read(parser):
    for seed in parser.seeds:
        parser.read(seed)


@each_parser
def test_changed_bytes_give_a_value_or_the_parsers_own_error(parser):
    random = Random(parser.name)
    assert "refused" in {try_changed(parser, random) for _ in range(60)}


@each_parser
def test_what_is_cut_off_is_no_other_error(parser):
    seed = parser.seeds[0]
    for end in {*range(min(len(seed), 40)), len(seed) - 1}:
        try:
            parser.read(seed[:end])
        except parser.error:
            continue
