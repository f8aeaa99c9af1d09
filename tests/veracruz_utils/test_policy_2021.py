"""The policies that Veracruz was shipped with in 2021 are read for what they say."""

import pytest

from support.policies import NOW, PROGRAM_DIGEST, certificate, pem, rsa_key_of, text
from veracruz_utils.policy import Policy, Role

_PI, _DATA, _READ = "PiProvider", "DataProvider", "ResultReader"
_ALL = (_PI, _DATA, _READ)

# name: port, principals (certificate, roles), order of data, order of streams
SHIPPED = {
    "get_random": (3011, [("client_rsa", (_PI, _READ))], [], []),
    "one_data_source": (3012, [("client_rsa", _ALL)], [0], []),
    "string_edit_distance": (3013, [("client_rsa", _ALL)], [0, 0], []),
    "dual": (3014, [("program", (_PI,)), ("data", (_DATA, _READ))], [1], []),
    "triple": (
        3016,
        [("program", (_PI,)), ("data", (_DATA, _READ)), ("result", (_READ,))],
        [1],
        [],
    ),
    "triple_two_data_sources": (
        3017,
        [("program", (_PI,)), ("data", (_DATA,)), ("result", (_DATA, _READ))],
        [1, 2],
        [],
    ),
    "quadruple": (
        3020,
        [("program", (_PI,)), ("data", (_DATA,)), ("never", (_DATA,)), ("result", (_READ,))],
        [1, 2],
        [],
    ),
    "number_stream_accumulation": (3026, [("client_rsa", _ALL)], [0], [0, 0]),
}


def _document(port, principals, data_order, streaming_order) -> dict:
    return {
        "ciphersuite": "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
        "data_provision_order": data_order,
        "debug": streaming_order != [],
        "enclave_cert_expiry": {"day": 1, "hour": 14, "minute": 5, "month": 2, "year": 2027},
        "execution_strategy": "Interpretation",
        "identities": [
            {
                "certificate": pem(certificate(name, key=rsa_key_of(name))),
                "id": number,
                "roles": list(roles),
            }
            for number, (name, roles) in enumerate(principals)
        ],
        "mexico_city_hash_nitro": "0c" * 48,
        "mexico_city_hash_sgx": "0a" * 32,
        "mexico_city_hash_tz": "0a" * 32,
        "pi_hash": PROGRAM_DIGEST,
        "sinaloa_url": f"127.0.0.1:{port}",
        "streaming_order": streaming_order,
        "tabasco_url": "127.0.0.1:3010",
    }


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_policy_is_read(name):
    port, principals, data_order, streaming_order = SHIPPED[name]
    policy = Policy.parse(text(_document(*SHIPPED[name])), at=NOW)
    assert policy.sinaloa.port == port
    assert [sorted(identity.roles) for identity in policy.identities] == [
        sorted(Role(role) for role in roles) for _, roles in principals
    ]
    assert policy.data_provision_order == tuple(data_order)
    assert policy.streaming_order == tuple(streaming_order)
    assert policy.result_readers == {
        number for number, (_, roles) in enumerate(principals) if _READ in roles
    }
    assert policy.debug is bool(streaming_order)
    assert {platform.name for platform in policy.platforms} == {"sgx", "trustzone", "nitro"}
