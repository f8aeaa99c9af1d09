"""`durango policy sign`, `status`, `consent` and `revoke`."""

import pytest

from durango import Identity
from support.principal_rig import DAY, now

ALL = {"consent": "all"}


@pytest.fixture
def asking(world):
    """A world whose policy asks for the consent of all."""
    world.launch(world.rig.policy(terms=ALL))
    return world


def signed(world, name: str) -> str:
    file = str(world.folder / f"{name}.consent")
    world.run("policy", "sign", str(world.policy), *world.who(name), "--output", file, "--force")
    return file


def test_data_wait_until_all_have_signed(asking):
    policy, bob = str(asking.policy), asking.who("bob")
    asking.run("program", "send", policy, str(asking.program), *asking.who("alice"))
    send = ("data", "send", policy, asking.file("b", b"bob's"), *bob)
    told = asking.complain(*send, status=3)
    assert "consent missing" in told
    assert "3 of client 0, client 1, client 2" in told
    assert "`durango policy sign`" in told
    assert "`durango policy consent`" in told
    files = [signed(asking, name) for name in ("alice", "bob", "carol")]
    first = asking.as_json("policy", "consent", policy, files[0], *bob)
    assert first["awaited"] == [1, 2]
    rest = asking.as_json("policy", "consent", policy, *files[1:], *bob)
    assert rest["awaited"] == []
    assert rest["signed"] == [1, 2]
    asking.run(*send)


def test_who_signed_is_told_by_files_and_nobody_is_asked(asking):
    asking.rig.isolate.seen.clear()
    files = [signed(asking, name) for name in ("alice", "carol")]
    status = ["policy", "status", str(asking.policy)]
    for file in files:
        status += ["--signature", file]
    told = asking.run(*status).stdout
    assert "client 0 agrees" in told
    assert "client 2 agrees" in told
    assert "3 of 3 have to agree; missing: client 1" in told
    facts = asking.as_json(*status)
    assert (facts["signed"], facts["awaited"], facts["least"]) == ([0, 2], [1], 3)
    assert asking.rig.isolate.seen == []


def test_and_by_the_isolate_when_there_is_an_identity(asking):
    asking.run("policy", "consent", str(asking.policy), signed(asking, "bob"), *asking.who("bob"))
    status = ("policy", "status", str(asking.policy))
    assert asking.as_json(*status, *asking.who("carol"))["awaited"] == [0, 2]
    assert asking.as_json(*status)["awaited"] == [0, 1, 2]
    assert "go together" in asking.complain(*status, *asking.who("carol")[:2], status=2)


def test_a_consent_is_taken_back_by_its_principal_and_given_again_by_nobody_else(asking):
    policy = str(asking.policy)
    consent = ("policy", "consent", policy, signed(asking, "bob"))
    asking.run(*consent, *asking.who("carol"))
    assert asking.as_json("policy", "revoke", policy, *asking.who("bob"))["awaited"] == [0, 1, 2]
    assert "have its principal hand it in" in asking.complain(
        *consent, *asking.who("carol"), status=3
    )
    assert asking.as_json(*consent, *asking.who("bob"))["awaited"] == [0, 2]


def test_what_was_not_given_cannot_be_taken_back(asking):
    revoke = ("policy", "revoke", str(asking.policy), *asking.who("bob"))
    assert "nothing to take back" in asking.complain(*revoke, status=3)


def test_a_consent_to_another_policy_stays_here(asking):
    other = signed(asking, "bob")
    asking.launch(asking.rig.policy(terms=ALL | {"attempts": 2}))
    asking.rig.isolate.seen.clear()
    for command in (
        ("policy", "consent", str(asking.policy), other, *asking.who("bob")),
        ("policy", "status", str(asking.policy), "--signature", other),
    ):
        told = asking.complain(*command, status=3)
        assert f"{other} is no consent to policy" in told
    assert asking.rig.isolate.seen == []


def test_a_stranger_does_not_sign(asking):
    stranger = Identity.create("eve", not_before=now(), lifetime=DAY)
    asking.write_identity("eve", stranger)
    sign = ("policy", "sign", str(asking.policy), *asking.who("eve"), "--output", "x")
    assert "is not in policy" in asking.complain(*sign, status=3)


def test_a_policy_that_asks_nobody_is_told_to(world):
    told = world.run("policy", "status", str(world.policy)).stdout
    assert told == "the policy asks for nobody's consent\n"
    consent = ("policy", "consent", str(world.policy), signed(world, "bob"), *world.who("bob"))
    assert "whose consent it asks for" in world.complain(*consent, status=3)


def test_a_signature_is_not_overwritten(asking):
    file = signed(asking, "bob")
    again = ("policy", "sign", str(asking.policy), *asking.who("bob"), "--output", file)
    assert "--force" in asking.complain(*again, status=1)


def test_without_a_file_a_principal_signs_and_hands_in_at_once(asking):
    policy = str(asking.policy)
    facts = asking.as_json("policy", "consent", policy, *asking.who("bob"))
    assert (facts["signed"], facts["awaited"]) == ([1], [0, 2])
    told = asking.run("policy", "consent", policy, *asking.who("carol")).stdout
    assert f"agrees to policy {asking.rig.isolate.policy.digest}" in told


def test_a_first_word_is_the_policy_or_a_consent_where_a_profile_names_a_policy(asking):
    (asking.folder / "config.toml").write_text(
        f'profile = "b"\n[profiles.b]\npolicy = "{asking.policy}"\n'
        'certificate = "bob.cert.pem"\nkey = "bob.key.pem"\n'
    )
    env = {"DURANGO_CONFIG": str(asking.folder)}
    files = [signed(asking, name) for name in ("alice", "carol")]
    facts = asking.as_json("policy", "consent", *files, env=env)
    assert (facts["signed"], facts["awaited"]) == ([0, 2], [1])
    assert asking.as_json("policy", "consent", str(asking.policy), env=env)["awaited"] == []
