"""Every path at which two images differ is told once, with what was there and what is."""

import pytest

from veracruz_image import ImageFile, ImageFolder, ImageLink
from veracruz_image.differences import differences
from veracruz_image.entries import Irregular
from veracruz_utils.digest import Digest

FOLDER = ImageFolder(0o755)
LINK = ImageLink("usr/lib")
QUEUE = Irregular("queue")


def file(content, *, mode=0o644, size=None):
    return ImageFile(mode, len(content) if size is None else size, Digest.of(content))


def told(before, after):
    return [str(each) for each in differences(before, after)]


def test_the_same_differs_in_nothing():
    image = {"usr": FOLDER, "usr/a": file(b"a"), "lib": LINK}
    assert told(image, dict(reversed(image.items()))) == []


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (None, FOLDER, "added (folder)"),
        (None, file(b"a"), "added (file)"),
        (None, LINK, "added (link to usr/lib)"),
        (None, QUEUE, "added (queue)"),
        (FOLDER, None, "removed"),
        (file(b"a"), None, "removed"),
        (LINK, None, "removed"),
        (FOLDER, ImageFolder(0o1755), "mode (1755, was 755)"),
        (LINK, ImageLink("usr/bin"), "re-linked (to usr/bin, was usr/lib)"),
        (file(b"a"), file(b"a", mode=0o755), "mode (755, was 644)"),
        (file(b"a"), file(b"b"), "changed (3e23e8160039, was ca978112ca1b)"),
        (file(b"a"), file(b"a", size=2), "size (2, was 1)"),
        (FOLDER, file(b"a"), "kind (file, was folder)"),
        (LINK, FOLDER, "kind (folder, was link to usr/lib)"),
        (file(b"a"), QUEUE, "kind (queue, was file)"),
    ],
)
def test_a_difference_is_named_between_what_is_the_same(before, after, words):
    def image(entry):
        middle = {} if entry is None else {"b": entry}
        return {"a": FOLDER, **middle, "c": FOLDER}

    assert told(image(before), image(after)) == [f"b: {words}"]


def test_a_file_can_differ_in_two_ways():
    words = ["a: mode (755, was 644)", "a: changed (3e23e8160039, was ca978112ca1b)"]
    assert told({"a": file(b"a")}, {"a": file(b"b", mode=0o755)}) == words


def test_differences_come_in_the_order_of_their_paths():
    before = {"d": FOLDER, "b": FOLDER, "f": FOLDER}
    after = {"e": FOLDER, "a": FOLDER, "f": FOLDER, "c": FOLDER}
    paths = [each.path for each in differences(before, after)]
    assert paths == ["a", "b", "c", "d", "e"]


def test_a_file_that_only_moved_is_told_once():
    before = {"a": file(b"1"), "b": file(b"2"), "d": file(b"3")}
    after = {"b": file(b"2"), "c": file(b"1"), "d": file(b"4")}
    assert told(before, after) == [
        "c: renamed (was a)",
        "d: changed (4b227777d4dd, was 4e07408562be)",
    ]


def test_a_file_that_moved_and_changed_its_mode_is_another():
    words = ["a: removed", "b: added (file)"]
    assert told({"a": file(b"1")}, {"b": file(b"1", mode=0o755)}) == words


def test_of_files_with_the_same_content_nobody_can_say_which_became_which():
    one, two = {"a": file(b"1")}, {"b": file(b"1"), "c": file(b"1")}
    assert told(one, two) == ["a: removed", "b: added (file)", "c: added (file)"]
    assert told(two, one) == ["a: added (file)", "b: removed", "c: removed"]
    three = {"d": file(b"1"), "e": file(b"1")}
    assert told(two, three) == ["b: removed", "c: removed", "d: added (file)", "e: added (file)"]


def test_folders_and_links_are_not_renamed():
    assert told({"a": FOLDER}, {"b": FOLDER}) == ["a: removed", "b: added (folder)"]
    assert told({"a": LINK}, {"b": LINK}) == ["a: removed", "b: added (link to usr/lib)"]
