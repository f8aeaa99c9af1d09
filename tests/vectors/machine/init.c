/* The init of the vectors' initramfs: prints the TPM's registers and the event log, and ends.
   No C library: the initramfs, and so the vector, is as small as it can be. */

#define SYS_read 0
#define SYS_write 1
#define SYS_open 2
#define SYS_mount 165
#define SYS_mkdir 83
#define SYS_dup2 33
#define SYS_nanosleep 35
#define SYS_reboot 169

static long call(long n, long a, long b, long c, long d, long e) {
    long result;
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    __asm__ volatile("syscall" : "=a"(result) : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
                     : "rcx", "r11", "memory");
    return result;
}

static void print(const char *text) {
    long size = 0;
    while (text[size]) size++;
    call(SYS_write, 1, (long)text, size, 0, 0);
}

static void show(const char *name, const char *path, int as_hex) {
    static unsigned char block[64];
    static char text[160];
    long got, file = call(SYS_open, (long)path, 0, 0, 0, 0);
    while ((got = call(SYS_read, file, (long)block, as_hex ? 32 : 64, 0, 0)) > 0) {
        long at = 0;
        print(name);
        for (long i = 0; i < got; i++) {
            if (!as_hex) {
                if (block[i] != '\n') text[at++] = block[i];
                continue;
            }
            text[at++] = "0123456789abcdef"[block[i] >> 4];
            text[at++] = "0123456789abcdef"[block[i] & 15];
        }
        text[at++] = '\n';
        text[at] = 0;
        print(text);
    }
}

void _start(void) {
    static char name[] = "PCR 00 ", path[] = "/sys/class/tpm/tpm0/pcr-sha256/00";
    long second[2] = {1, 0};
    call(SYS_mkdir, (long)"/sys", 0755, 0, 0, 0);
    call(SYS_mkdir, (long)"/dev", 0755, 0, 0, 0);
    call(SYS_mount, (long)"sysfs", (long)"/sys", (long)"sysfs", 0, 0);
    call(SYS_mount, (long)"dev", (long)"/dev", (long)"devtmpfs", 0, 0);
    call(SYS_mount, (long)"none", (long)"/sys/kernel/security", (long)"securityfs", 0, 0);
    long console = call(SYS_open, (long)"/dev/ttyS0", 2, 0, 0, 0);
    for (long i = 0; i < 3; i++) call(SYS_dup2, console, i, 0, 0, 0);
    for (int i = 0; i < 24; i++) {
        char *end = path + sizeof path - 3;
        name[4] = '0' + i / 10;
        name[5] = '0' + i % 10;
        end[0] = i < 10 ? '0' + i : '0' + i / 10;
        end[1] = i < 10 ? 0 : '0' + i % 10;
        show(name, path, 0);
    }
    show("LOG ", "/sys/kernel/security/tpm0/binary_bios_measurements", 1);
    print("END\n");
    call(SYS_nanosleep, (long)second, 0, 0, 0, 0);
    call(SYS_reboot, 0xfee1dead, 672274793, 0x4321fedc, 0, 0);
}
