"""What every step stands on: files, commands, units, the register of who owns what, proofs of what was done."""
