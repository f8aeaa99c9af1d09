import itertools

import pytest

from support.dcap_evidence import MODULE, TDX, Recipe, enclave_level, level
from support.refused_evidence import refused
from tabasco.appraisal.checks import Acceptance, appraise
from tabasco.verify import Fault, TcbStatus, VerificationStage
from tabasco.verify.intel.statements import Standing
from tabasco.verify.intel.tcb import worst

CONCLUDED = {
    TcbStatus.UNSUPPORTED,
    TcbStatus.TD_RELAUNCH_ADVISED,
    TcbStatus.TD_RELAUNCH_ADVISED_CONFIGURATION_NEEDED,
}


def module(version, *levels, **changes):
    return {"id": f"TDX_{version:02x}", "tcbLevels": list(levels)} | MODULE | changes


def domain(svn=(5, 1, 5), svn_2=None, **recipe):
    body = {0: bytes(svn)} | recipe.pop("body", {})
    if svn_2 is None:
        return Recipe(tee=TDX, version=4, body=body, **recipe)
    svn_2 = bytes(svn_2) + bytes(13)
    return Recipe(tee=TDX, version=5, td_15=True, body=body, svn_2=svn_2, **recipe)


class TestPlatform:
    @pytest.mark.parametrize("component", range(16))
    def test_every_component_counts(self, component):
        svns = [5] * 16
        svns[component] = 4
        assert Recipe(svns=tuple(svns)).verify().tcb_status is TcbStatus.OUT_OF_DATE
        svns[component] = 0
        assert Recipe(svns=tuple(svns)).verify().tcb_status is TcbStatus.UNSUPPORTED

    def test_the_provisioning_enclave_counts(self):
        assert Recipe(pce_svn=9).verify().tcb_status is TcbStatus.UNSUPPORTED
        assert Recipe(pce_svn=300).verify().tcb_status is TcbStatus.UP_TO_DATE

    def test_no_level_reached_is_unsupported_and_no_policy_accepts_that(self):
        proven = Recipe(svns=(0,) * 16).verify()
        assert proven.tcb_status is TcbStatus.UNSUPPORTED
        with refused(Fault.TCB_STATUS, VerificationStage.APPRAISAL):
            appraise(proven, Acceptance(tcb_statuses=frozenset(TcbStatus)))

    @pytest.mark.parametrize("status", [each for each in TcbStatus if each not in CONCLUDED])
    def test_what_intel_says_is_reported_and_accepted_only_by_name(self, status):
        levels = [level(status.value, advisories=["INTEL-SA-00002", "INTEL-SA-00001"])]
        proven = Recipe(tcb_info={"tcbLevels": levels}).verify()
        assert proven.tcb_status is status
        assert proven.advisories == ("INTEL-SA-00001", "INTEL-SA-00002")
        appraise(proven, Acceptance(tcb_statuses=frozenset({status})))
        if status is not TcbStatus.UP_TO_DATE:
            with refused(Fault.TCB_STATUS, VerificationStage.APPRAISAL):
                appraise(proven, Acceptance())

    @pytest.mark.parametrize("status", [*sorted(each.value for each in CONCLUDED), "uptodate", ""])
    def test_what_intel_never_says_is_refused(self, status):
        with refused(Fault.MALFORMED, VerificationStage.COLLATERAL):
            Recipe(tcb_info={"tcbLevels": [level(status)]}).verify()

    def test_advisories_that_come_with_up_to_date_are_for_the_policy(self):
        levels = [level("UpToDate", advisories=["INTEL-SA-00003"])]
        proven = Recipe(tcb_info={"tcbLevels": levels}).verify()
        appraise(proven, Acceptance())
        appraise(proven, Acceptance(advisories=frozenset({"INTEL-SA-00003"})))
        with refused(Fault.ADVISORY, VerificationStage.APPRAISAL):
            appraise(proven, Acceptance(advisories=frozenset()))

    def test_what_is_no_advisory_is_refused(self):
        for advisory in ("INTEL-SA-1\n", "x", 7):
            levels = [level("UpToDate", advisories=[advisory])]
            with refused(Fault.MALFORMED, VerificationStage.COLLATERAL):
                Recipe(tcb_info={"tcbLevels": levels}).verify()

    def test_a_level_has_sixteen_components_of_a_byte(self):
        for components in ([{"svn": 5}] * 15, [{"svn": 256}] * 16, [{"svn": True}] * 16):
            broken = level("UpToDate")
            broken["tcb"]["sgxtcbcomponents"] = components
            with refused(Fault.MALFORMED, VerificationStage.COLLATERAL):
                Recipe(tcb_info={"tcbLevels": [broken]}).verify()


class TestTdxModule:
    def test_the_first_tdx_has_no_identities(self):
        assert domain((5, 0, 5)).verify().tcb_status is TcbStatus.UP_TO_DATE
        assert domain((4, 0, 5)).verify().tcb_status is TcbStatus.OUT_OF_DATE
        assert domain((0, 0, 0)).verify().tcb_status is TcbStatus.UNSUPPORTED

    @pytest.mark.parametrize(
        ("svn", "status"),
        [((5, 1, 5), "UpToDate"), ((3, 1, 5), "OutOfDate"), ((2, 1, 5), "Unsupported")],
    )
    def test_a_module_with_an_identity_is_judged_by_it(self, svn, status):
        identity = module(1, enclave_level("UpToDate", 4), enclave_level("OutOfDate", 3))
        recipe = domain(svn, tcb_info={"tdxModuleIdentities": [identity]})
        assert recipe.verify().tcb_status == status

    def test_its_first_two_components_are_then_not_the_platforms(self):
        identity = module(1, enclave_level("UpToDate", 0))
        recipe = domain((0, 1, 5), tcb_info={"tdxModuleIdentities": [identity]})
        assert recipe.verify().tcb_status is TcbStatus.UP_TO_DATE
        recipe = domain((0, 1, 4), tcb_info={"tdxModuleIdentities": [identity]})
        assert recipe.verify().tcb_status is TcbStatus.OUT_OF_DATE

    def test_a_module_that_intel_does_not_name_is_refused(self):
        with refused(Fault.ENCLAVE_IDENTITY, VerificationStage.COLLATERAL):
            domain((5, 1, 5)).verify()
        identities = [module(1, enclave_level("UpToDate", 0))] * 2
        with refused(Fault.MALFORMED, VerificationStage.COLLATERAL):
            domain((5, 1, 5), tcb_info={"tdxModuleIdentities": identities}).verify()

    @pytest.mark.parametrize("body", [{64: b"\1"}, {112: b"\1"}], ids=["signer", "attributes"])
    @pytest.mark.parametrize("version", [0, 1])
    def test_a_module_by_somebody_else_is_refused(self, body, version):
        identities = {"tdxModuleIdentities": [module(1, enclave_level("UpToDate", 0))]}
        with refused(Fault.ENCLAVE_IDENTITY, VerificationStage.COLLATERAL):
            domain((5, version, 5), body=body, tcb_info=identities).verify()

    def test_a_revoked_module_makes_the_whole_revoked(self):
        identity = module(1, enclave_level("Revoked", 0, "INTEL-SA-00009"))
        proven = domain(tcb_info={"tdxModuleIdentities": [identity]}).verify()
        assert (proven.tcb_status, proven.advisories) == (TcbStatus.REVOKED, ("INTEL-SA-00009",))


class TestRelaunch:
    IDENTITIES = (
        module(1, enclave_level("UpToDate", 5), enclave_level("OutOfDate", 1, "INTEL-SA-00007")),
        module(3, enclave_level("UpToDate", 2)),
    )

    def status(self, svn, svn_2, *, levels=None, **recipe):
        info = {"tdxModuleIdentities": list(self.IDENTITIES)}
        info |= {"tcbLevels": levels} if levels else {}
        return domain(svn, svn_2, tcb_info=info, **recipe).verify().tcb_status

    @pytest.mark.parametrize("now", [(5, 1, 5), (9, 1, 9), (2, 3, 5), (5, 0, 5)])
    def test_a_domain_built_under_an_older_module_should_be_built_again(self, now):
        assert self.status((4, 1, 5), now) is TcbStatus.TD_RELAUNCH_ADVISED

    @pytest.mark.parametrize("now", [(4, 1, 5), (5, 1, 4), (1, 3, 5), (4, 0, 5)])
    def test_where_the_platform_is_still_old_the_domain_is_out_of_date(self, now):
        assert self.status((4, 1, 5), now) is TcbStatus.OUT_OF_DATE

    def test_the_platforms_configuration_stays_to_be_done(self):
        levels = [level("ConfigurationNeeded"), level("OutOfDate", 1, tdx=(1, 0, 1))]
        found = self.status((4, 1, 5), (5, 1, 5), levels=levels)
        assert found is TcbStatus.TD_RELAUNCH_ADVISED_CONFIGURATION_NEEDED

    def test_an_old_platform_or_quoting_enclave_is_not_helped_by_it(self):
        assert self.status((4, 1, 5), (5, 1, 5), svns=(4,) * 16) is TcbStatus.OUT_OF_DATE
        assert self.status((4, 1, 5), (5, 1, 5), qe={258: b"\4\0"}) is TcbStatus.OUT_OF_DATE
        assert self.status((4, 1, 5), (5, 1, 5), qe={258: b"\1\0"}) is TcbStatus.UNSUPPORTED

    def test_a_current_domain_has_nothing_to_do(self):
        assert self.status((5, 1, 5), (5, 1, 5)) is TcbStatus.UP_TO_DATE

    def test_a_module_now_that_intel_does_not_name_is_refused(self):
        with refused(Fault.ENCLAVE_IDENTITY, VerificationStage.COLLATERAL):
            self.status((4, 1, 5), (5, 7, 5))

    def test_it_is_refused_unless_a_policy_names_it(self):
        info = {"tdxModuleIdentities": list(self.IDENTITIES)}
        proven = domain((4, 1, 5), (5, 1, 5), tcb_info=info).verify()
        assert proven.advisories == ("INTEL-SA-00007",)
        with refused(Fault.TCB_STATUS, VerificationStage.APPRAISAL):
            appraise(proven, Acceptance())
        appraise(proven, Acceptance(frozenset({TcbStatus.TD_RELAUNCH_ADVISED})))


class TestWorst:
    @pytest.mark.parametrize(
        ("parts", "whole"),
        [
            ("UpToDate UpToDate", "UpToDate"),
            ("SWHardeningNeeded OutOfDate", "OutOfDate"),
            ("ConfigurationNeeded SWHardeningNeeded", "ConfigurationAndSWHardeningNeeded"),
            ("ConfigurationNeeded OutOfDate", "OutOfDateConfigurationNeeded"),
            ("ConfigurationAndSWHardeningNeeded OutOfDate", "OutOfDateConfigurationNeeded"),
            ("OutOfDate OutOfDateConfigurationNeeded", "OutOfDateConfigurationNeeded"),
            ("TDRelaunchAdvised UpToDate", "TDRelaunchAdvised"),
            ("TDRelaunchAdvised OutOfDate", "OutOfDate"),
            ("Unsupported OutOfDate", "Unsupported"),
            ("Revoked Unsupported", "Revoked"),
        ],
    )
    def test_parts_come_together_to_the_worst(self, parts, whole):
        standings = [Standing(TcbStatus(each)) for each in parts.split()]
        assert worst(*standings).status == whole
        assert worst(*reversed(standings)).status == whole

    def test_the_whole_is_never_better_than_a_part(self):
        order = list(TcbStatus)
        for pair in itertools.product(TcbStatus, repeat=2):
            found = worst(*(Standing(each) for each in pair)).status
            if TcbStatus.REVOKED not in pair:
                assert order.index(found) >= max(order.index(each) for each in pair) or (
                    {*pair} & CONCLUDED
                )
            assert found is not TcbStatus.UP_TO_DATE or {*pair} == {TcbStatus.UP_TO_DATE}

    def test_all_advisories_apply(self):
        parts = [
            Standing(TcbStatus.UP_TO_DATE, frozenset({"a"})),
            Standing(TcbStatus.REVOKED, frozenset({"b"})),
        ]
        assert worst(*parts).advisories == {"a", "b"}
