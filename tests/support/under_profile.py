"""python under_profile.py PROFILE.json COMMAND...: run a command under a seccomp profile.

As container runtimes do it: by libseccomp, with no new privileges.
"""

import ctypes
import json
import os
import sys

_ALLOW = 0x7FFF0000
_ERRNO = 0x00050000
_NO_NEW_PRIVS = 38


def main() -> None:
    profile = json.load(open(sys.argv[1]))  # noqa: PTH123, SIM115
    library = ctypes.CDLL("libseccomp.so.2", use_errno=True)
    library.seccomp_init.restype = ctypes.c_void_p
    library.seccomp_load.argtypes = [ctypes.c_void_p]
    add = library.seccomp_rule_add_array
    add.argtypes = [ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_uint, ctypes.c_void_p]
    assert profile["defaultAction"] == "SCMP_ACT_ERRNO"
    rules = library.seccomp_init(_ERRNO | profile["defaultErrnoRet"])
    for each in profile["syscalls"]:
        assert each["action"] == "SCMP_ACT_ALLOW"
        for name in each["names"]:
            number = library.seccomp_syscall_resolve_name(name.encode())
            if number != -1:  # a call that this library does not know yet cannot be allowed by it
                assert add(rules, _ALLOW, number, 0, None) == 0, name
    assert ctypes.CDLL(None).prctl(_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
    assert library.seccomp_load(rules) == 0
    os.execv(sys.argv[2], sys.argv[2:])


if __name__ == "__main__":
    main()
