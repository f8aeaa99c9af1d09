import pytest

from sdk.examples import named_types
from veracruz_utils.encoding.errors import TypeExpressionError
from veracruz_utils.encoding.pinecone import parse_type


@pytest.mark.parametrize("name", named_types.SCHEMAS)
def test_a_named_type_resolves(name):
    assert named_types.resolve(name) == parse_type(named_types.SCHEMAS[name].expression)


def test_an_expression_resolves_as_itself():
    assert named_types.resolve("Vec<u8>") == parse_type("Vec<u8>")


def test_an_unknown_name_is_refused_with_the_known_ones():
    with pytest.raises(TypeExpressionError, match=r"unknown type .peple.*named types are .*people"):
        named_types.resolve("peple")
