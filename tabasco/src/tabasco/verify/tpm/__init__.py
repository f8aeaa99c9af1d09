"""TPM 2.0, on its own and in Azure confidential machines."""
