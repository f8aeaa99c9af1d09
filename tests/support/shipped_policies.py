"""The policies that came with Veracruz in 2021, as far as there are programs for them.

Who is in them, in which roles, orders and at which port; the names are those of their files. Where
the original ran a program that is not among our examples, one of ours with the same inputs does.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from durango import Identity
from sdk.examples import programs
from support.runtime_guests import RANDOM
from support.stack import DATA, PI, RESULT, Roles, new_party

ALL = (PI, DATA, RESULT)
NAMES = ("zabble.zibble", "www.zabble.zibble")


@dataclass(frozen=True)
class Shape:
    """A policy without its digests: certificates by name with their roles, and the rest."""

    port: int
    members: Mapping[str, Roles]
    program: str
    data: tuple[int, ...] = ()
    streams: tuple[int, ...] = ()
    debug: bool = False


_PARTNERS = {"program_client": (PI,), "data_client": (DATA,), "result_client": (DATA, RESULT)}

SHAPES = {
    "get_random": Shape(3011, {"client": (PI, RESULT)}, "random-source", debug=True),
    "one_data_source": Shape(3012, {"client": ALL}, "linear-regression", (0,)),
    "two_data_source_string_edit_distance": Shape(
        3013, {"client": ALL}, "string-edit-distance", (0, 0)
    ),
    "dual": Shape(
        3014, {"program_client": (PI,), "data_client": (DATA, RESULT)}, "linear-regression", (1,)
    ),
    "triple": Shape(
        3016,
        {"program_client": (PI,), "data_client": (DATA, RESULT), "result_client": (RESULT,)},
        "linear-regression",
        (1,),
    ),
    "triple_parties_two_data_sources_sum": Shape(
        3017, _PARTNERS, "private-set-intersection", (1, 2)
    ),
    "triple_parties_two_data_sources_string_edit_distance": Shape(
        3019, _PARTNERS, "string-edit-distance", (1, 2)
    ),
    "quadruple": Shape(
        3020,
        {
            "program_client": (PI,),
            "data_client": (DATA,),
            "never_used": (DATA,),
            "result_client": (RESULT,),
        },
        "string-edit-distance",
        (1, 2),
    ),
    "two_data_source_private_set_intersection": Shape(
        3026, {"client": ALL}, "private-set-intersection", (0, 0)
    ),
    "number-stream-accumulation": Shape(
        3026, {"client": ALL}, "number-stream-accumulation", (0,), (0, 0), debug=True
    ),
}
# These differ from another in their port alone; what is tried with them differs.
SHAPES["dual_parallel"] = Shape(
    3015, SHAPES["dual"].members, "linear-regression", SHAPES["dual"].data
)
SHAPES["permuted_triple_parties_two_data_sources_sum"] = Shape(
    3018, _PARTNERS, "private-set-intersection", (1, 2)
)


@cache
def party_of_2021(name: str) -> Identity:
    """A principal as that Makefile made them: RSA-2048 in PKCS#1, self-signed, two host names."""
    key = rsa.generate_private_key(65537, 2048)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "zibblezabble")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=150))
        .not_valid_after(now + timedelta(days=3500))
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName(each) for each in NAMES]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    pem, pkcs1 = serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL
    return Identity.parse(
        certificate.public_bytes(pem),
        key.private_bytes(pem, pkcs1, serialization.NoEncryption()),
        names=(f"{name}_cert.pem", f"{name}_key.pem"),
    )


@cache
def party_of_today(name: str) -> Identity:
    """The same principal with a key as they are made now."""
    return new_party(name)


def program_of(shape: Shape) -> bytes:
    """The module that a shape names; random-source is no example of ours."""
    return RANDOM if shape.program == "random-source" else programs.load(shape.program)
