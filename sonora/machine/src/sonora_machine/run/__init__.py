"""A machine image tried out: QEMU, firmware and a TPM in software, which protect nothing."""
