import importlib
import pkgutil

import pytest

from veracruz_utils.errors import RefusedError, UnreachableError, VeracruzError


@pytest.mark.parametrize(
    ("error", "exit_code"), [(VeracruzError, 1), (RefusedError, 3), (UnreachableError, 4)]
)
def test_each_error_carries_its_exit_code(error, exit_code):
    assert error.exit_code == exit_code
    assert issubclass(error, VeracruzError)


@pytest.mark.parametrize("name", ["veracruz_utils", "veracruz_utils.policy"])
def test_the_public_names_are_listed_and_there(name):
    module = importlib.import_module(name)
    assert len(set(module.__all__)) == len(module.__all__)
    for public in module.__all__:
        assert getattr(module, public) is not None
    modules = {each.name for each in pkgutil.iter_modules(module.__path__)}
    visible = {public for public in vars(module) if not public.startswith("_")} - modules
    assert visible == set(module.__all__)
