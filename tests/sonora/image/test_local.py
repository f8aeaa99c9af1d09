"""The local image is built when it has to be; those that nobody can use any more are removed."""

import json

import pytest

from sonora.image.local import local_image


class WouldBuildError(Exception):
    pass


def would_build():
    raise WouldBuildError


def test_it_is_built_once_for_each_state_of_an_installation(image, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    cached = tmp_path / "veracruz" / "local"
    abandoned, used, foreign = cached / "abandoned", cached / "used", cached / "foreign"
    for folder in (abandoned, used, foreign):
        folder.mkdir(parents=True)
    for folder, where in ((abandoned, tmp_path / "gone"), (used, tmp_path)):
        text = json.dumps({"installation": str(where), "files": {}})
        folder.joinpath("sources.json").write_text(text)
    foreign.joinpath("sources.json").write_text("[1]{")

    built = []
    mine = local_image(lambda: built.append(True))
    assert (built, mine.measurement) == ([True], image.measurement)
    assert {*cached.iterdir()} == {used, foreign, mine.folder.parent}
    assert local_image(would_build) == mine

    sources = mine.folder.parent / "sources.json"
    made_of = json.loads(sources.read_text())
    path = next(iter(made_of["files"]))
    changed = made_of["files"] | {path: [0, 0, 0]}
    for text in (json.dumps(made_of | {"files": changed}), json.dumps(changed), "{", None):
        sources.unlink()
        if text is not None:
            sources.write_text(text)
        with pytest.raises(WouldBuildError):
            local_image(would_build)
