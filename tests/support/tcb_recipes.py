"""Platforms of any standing under any statement of a throw-away Intel, at random."""

from random import Random

from cryptography import x509

from support.dcap_evidence import MODULE, PLATFORM_CA, ROOT, TDX, Recipe, enclave_level, level
from support.throwaway_chain import Member, revocation_list

_PLATFORM = (
    "UpToDate", "UpToDate", "SWHardeningNeeded", "ConfigurationNeeded",
    "ConfigurationAndSWHardeningNeeded", "OutOfDate", "OutOfDateConfigurationNeeded", "Revoked",
)  # fmt: skip
_ENCLAVE = ("UpToDate", "UpToDate", "OutOfDate", "OutOfDate", "Revoked")


def random_recipe(random: Random) -> Recipe:
    """An SGX quote of version 3, or a TDX quote of version 4 or 5 (TDX 1.0)."""
    info = {"tcbLevels": _platform_levels(random)}
    parts = {
        "svns": tuple(random.choice((5,) * 20 + (4, 3)) for _ in range(16)),
        "pce_svn": random.choice((7, 9, 10, 10)),
        "tcb_info": info,
        "qe_identity": {"tcbLevels": _enclave_levels(random)},
        "collateral_changes": {"root_ca_crl": _list(ROOT), "pck_crl": _list(PLATFORM_CA)},
    }
    if random.random() < 0.3:
        return Recipe(version=3, **parts)
    info["tdxModuleIdentities"] = [
        {"id": f"TDX_{number:02x}", "tcbLevels": _enclave_levels(random)} | MODULE
        for number in random.choice(((1,), (1, 3)))
    ]
    svn = random.choice((3, 4, 5, 6)), random.choice((0, 1, 1, 3)), random.choice((3, 4, 5, 6))
    return Recipe(tee=TDX, version=random.choice((4, 5)), body={0: bytes(svn)}, **parts)


def _platform_levels(random: Random):
    needs, levels = [5, random.randrange(3, 6), random.randrange(3, 6)], []
    for _ in range(random.choice((1, 2, 3, 4))):
        sgx, first, third = needs
        status = random.choice(_PLATFORM)
        tdx = (first, 0, third)
        levels.append(level(status, sgx, pce=8, tdx=tdx, advisories=_advisories(random)))
        needs = [max(0, each - random.randrange(3)) for each in needs]
    return levels


def _enclave_levels(random: Random):
    versions = sorted({random.randrange(6) for _ in range(random.randrange(1, 4))}, reverse=True)
    return [enclave_level(random.choice(_ENCLAVE), each, *_advisories(random)) for each in versions]


def _advisories(random: Random) -> list[str]:
    return [f"INTEL-SA-{random.randrange(5):05}" for _ in range(random.choice((0, 0, 1, 2)))]


def _list(issuer: Member) -> str:
    key = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key())
    extensions = [(key, False), (x509.CRLNumber(1), False)]
    return revocation_list(issuer, extensions=extensions).hex()
