from veracruz_utils.policy import RUNTIME_LAYERS, IsolationLayer


def test_the_layers_have_the_names_that_evidence_and_policies_use() -> None:
    assert [layer.value for layer in IsolationLayer] == [
        "image-root",
        "namespaces",
        "capabilities",
        "no-new-privileges",
        "not-dumpable",
        "limits",
        "landlock",
        "seccomp",
        "separate-user",
    ]


def test_a_user_of_its_own_is_beyond_what_the_runtime_brings_about() -> None:
    assert IsolationLayer.SEPARATE_USER not in RUNTIME_LAYERS
