"""Close what a server of ours leaves open: a firewall, SSH without passwords, security updates."""

# Of the texts that all projects share; raise it with every change of one.
VERSION = 1
