"""Sources on stand-ins for their interfaces enrol with the real attestation service, or do not."""

import hashlib

import pytest

from colima import decode, encode, tabasco
from psa_attestation import instance_id_of
from sonora.enrolment import enrol
from sonora.errors import EnrolmentRefusedError
from sonora.evidence.gramine import GramineSource
from sonora.evidence.nsm import NsmSource
from sonora.evidence.tpm import TpmSource
from sonora.evidence.tsm import TsmSource
from support import dcap_evidence as dcap
from support import nitro_documents as nitro
from support.enrolment import Clock
from support.platform_fakes import FakeGramine, FakeNsm, FakeTpm, FakeTsm
from tabasco.challenges import Challenges
from tabasco.collateral import Store, StoredCollateral, Trust
from tabasco.database import Database, sqlite_url
from tabasco.enrolment import Enrolments
from tabasco.hardware import HardwareRoot
from tabasco.instances import Instances
from tabasco.policies import Policies
from tabasco.reference_values import ReferenceValues
from tabasco.revocations import Revocations
from tabasco.settings import Settings
from tabasco.verify.kinds import Kind
