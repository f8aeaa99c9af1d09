"""The numbers of system calls, by their names in Linux's tables."""

from typing import Final

from veracruz_utils.frozen import frozen


@frozen
class Architecture:
    """An architecture: what seccomp calls it, and the numbers of its system calls.

    Attributes:
        audit: AUDIT_ARCH_*, which tells its calls from those of others that the kernel also takes.
        foreign_from: numbers from here on are of another table (x32); None where there is none.
        numbers: by name; a call that the architecture does not have is missing.
    """

    audit: int
    foreign_from: int | None
    numbers: dict[str, int]


# name, x86-64, aarch64; "-" where there is no such call.
_TABLE: Final = """
read 0 63; write 1 64; close 3 57; lseek 8 62; pread64 17 67; fstat 5 80
mmap 9 222; mprotect 10 226; munmap 11 215; madvise 28 233; brk 12 214
rt_sigaction 13 134; rt_sigprocmask 14 135; rt_sigreturn 15 139; sigaltstack 131 132
restart_syscall 219 128; futex 202 98; sched_yield 24 124; sched_getaffinity 204 123
getrandom 318 278; clock_gettime 228 113; clock_nanosleep 230 115; gettimeofday 96 169
getpid 39 172; gettid 186 178; exit 60 93; exit_group 231 94; rseq 334 293
set_robust_list 273 99; membarrier 324 283; ioctl 16 29; fcntl 72 25; prlimit64 302 261
recvfrom 45 207; sendto 44 206; recvmsg 47 212; sendmsg 46 211
getsockname 51 204; getpeername 52 205; getsockopt 55 209
epoll_create1 291 20; epoll_ctl 233 21; epoll_wait 232 -; epoll_pwait 281 22; poll 7 -; ppoll 271 73
memfd_create 319 279; kill 62 129; wait4 61 260; clone 56 220; clone3 435 435; tgkill 234 131
seccomp 317 277; landlock_create_ruleset 444 444; landlock_restrict_self 446 446
socketpair 53 199; close_range 436 436; prctl 157 167; getppid 110 173
execve 59 221; execveat 322 281; ptrace 101 117; process_vm_readv 310 270
process_vm_writev 311 271; process_madvise 440 440; pidfd_getfd 438 438; kcmp 312 272
unshare 272 97; setns 308 268; mount 165 40; umount2 166 39; pivot_root 155 41; chroot 161 51
fsopen 430 430; fsmount 432 432; move_mount 429 429; open_tree 428 428; mount_setattr 442 442
io_uring_setup 425 425; io_uring_enter 426 426; io_uring_register 427 427; userfaultfd 323 282
perf_event_open 298 241; bpf 321 280; add_key 248 217; request_key 249 218; keyctl 250 219
shmget 29 194; shmat 30 196; shmctl 31 195; semget 64 190; msgget 68 186; personality 135 92
init_module 175 105; finit_module 313 273; delete_module 176 106; kexec_load 246 104
kexec_file_load 320 294; reboot 169 142; swapon 167 224; swapoff 168 225; acct 163 89
quotactl 179 60; settimeofday 164 170; clock_settime 227 112; adjtimex 159 171
clock_adjtime 305 266; name_to_handle_at 303 264; open_by_handle_at 304 265
iopl 172 -; ioperm 173 -; modify_ldt 154 -
"""


def _numbers(column: int) -> dict[str, int]:
    rows = [each.split() for each in _TABLE.replace("\n", ";").split(";") if each.strip()]
    return {row[0]: int(row[column]) for row in rows if row[column] != "-"}


ARCHITECTURES: Final = {
    "x86_64": Architecture(0xC000003E, 0x40000000, _numbers(1)),
    "aarch64": Architecture(0xC00000B7, None, _numbers(2)),
}
