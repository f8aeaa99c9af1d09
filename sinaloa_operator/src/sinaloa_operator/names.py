"""What things are called in a cluster."""

from typing import Final

GROUP: Final = "compute.veracruz"
VERSION: Final = "v1alpha1"
API_VERSION: Final = f"{GROUP}/{VERSION}"
COMPUTATIONS: Final = "computations"
ATTESTATIONS: Final = "attestations"

COMPUTATION_LABEL: Final = f"{GROUP}/computation"
ATTEMPT_LABEL: Final = f"{GROUP}/attempt"
ATTESTATION_LABEL: Final = f"{GROUP}/attestation"
DIGEST_ANNOTATION: Final = f"{GROUP}/policy-digest"
FINALIZER: Final = f"{GROUP}/isolates"

SINALOA_PORT: Final = 3017
SONORA_HEALTH_PORT: Final = 3018
TABASCO_PORT: Final = 3010
TABASCO_HTTP_PORT: Final = 3011

POLICY_FILE: Final = "policy.json"
AUTHORITY_FILE: Final = "tabasco-ca.pem"

BRIDGE: Final = "sinaloa"
ROOT: Final = "sonora"
