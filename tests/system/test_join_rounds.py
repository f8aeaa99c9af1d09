"""Joining round after round: what is in stays, and what is missing is told before signing."""

import shutil

from sdk.examples import programs
from support.stack import run
from veracruz_image import MANIFEST

PROGRAM = "number-stream-accumulation"
SOURCE = """
days = 2
consent = "all"

[delegate]
sinaloa = "127.0.0.1:3011"

[attestation]
tabasco = "{tabasco}"
key = "tabasco.pem"

[program]
from = "me"
file = "number-stream-accumulation.wasm"

[principals]
me = {{ certificate = "me.cert.pem" }}

[[inputs]]
from = "me"
type = "f64"

[[streams]]
from = "me"
type = "f64"

[[streams]]
from = "me"
type = "f64"

[result]
readers = ["me"]
type = "f64"

[rounds]
most = 2

[[platforms]]
name = "linux-software-root"
images = ["image"]
"""


def test_the_program_and_the_data_of_the_first_round_are_not_given_again(stack, tmp_path):
    tmp_path.joinpath(f"{PROGRAM}.wasm").write_bytes(programs.load(PROGRAM))
    shutil.copy(stack.tabasco_key_file, tmp_path / "tabasco.pem")
    tmp_path.joinpath("image").symlink_to(stack.image.folder / MANIFEST)
    tmp_path.joinpath("policy.toml").write_text(SOURCE.format(tabasco=stack.tabasco_address))
    for number in (1, 2, 3):
        tmp_path.joinpath(f"{number}.json").write_text(f"{number}.0")
    run("durango", "identity", "new", "--name", "me", cwd=tmp_path).done()
    run("durango", "policy", "build", "policy.toml", cwd=tmp_path).done()
    raw = tmp_path.joinpath("policy.json").read_bytes()
    who = ["--certificate", "me.cert.pem", "--key", "me.key.pem"]
    with stack.serving(raw, [], programs.load(PROGRAM)) as computation:
        who += ["--sinaloa", str(computation.address)]

        def join(*words):
            always = ["policy.json", *who, "--encode", "--yes", "--wait", "30"]
            return run("durango", "join", *always, *words, cwd=tmp_path)

        items = ["--stream", "2.json", "--stream", "3.json", "--output"]
        early = join(*items, "1.dat")
        assert early.status == 2
        assert "the program needs a file until all data are in: give it by --program" in early.err
        status = run("durango", "status", "policy.json", *who, "--json", cwd=tmp_path).done().json
        assert status["consent_awaited"]
        join(*items, "1.dat", "--program", f"{PROGRAM}.wasm", "--data", "1.json").done()
        late = join("--stream", "3.json", "--stream", "3.json", "--output", "2.dat")
        assert late.status == 1
        assert "`durango round next` asks for another" in late.err
        run("durango", "round", "next", "policy.json", *who, cwd=tmp_path).done()
        join("--stream", "3.json", "--stream", "3.json", "--output", "2.dat").done()
    results = [
        float(
            run("veracruz-sdk", "decode", "--type", "number", f"{each}.dat", cwd=tmp_path)
            .done()
            .out
        )
        for each in (1, 2)
    ]
    assert results == [6.0, 12.0]
