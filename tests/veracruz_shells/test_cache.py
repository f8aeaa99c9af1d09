"""Where tools keep what they can make again, and that nobody else puts things there."""

import pytest

from veracruz_shells import cache
from veracruz_utils.errors import VeracruzError


def test_caches_are_where_the_environment_says_or_else_at_home(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert cache.user_cache() == tmp_path / "cache/veracruz"
    monkeypatch.setenv("XDG_CACHE_HOME", "cache")
    assert cache.user_cache() == tmp_path / "home/.cache/veracruz"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache.user_cache() == tmp_path / "home/.cache/veracruz"


def test_a_user_without_a_home_is_told_how_to_name_a_folder(monkeypatch):
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr("os.getuid", lambda: 4_000_000_000)  # of whom the system knows nothing
    with pytest.raises(VeracruzError, match="XDG_CACHE_HOME"):
        cache.user_cache()


def test_a_folder_that_is_made_is_the_users_alone(tmp_path):
    folder = cache.own_folder(tmp_path / "a/b")
    assert folder.stat().st_mode & 0o777 == 0o700
    assert cache.own_folder(folder) == folder


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o702])
def test_a_folder_that_others_may_write_to_is_not_used(tmp_path, mode):
    tmp_path.chmod(mode)
    with pytest.raises(VeracruzError, match="is open to others"):
        cache.own_folder(tmp_path)


def test_what_is_no_folder_is_told(tmp_path):
    tmp_path.joinpath("file").touch()
    with pytest.raises(VeracruzError, match="cannot use"):
        cache.own_folder(tmp_path / "file" / "python")
