"""What a root attester enrols with: evidence of the software root, or of hardware."""
