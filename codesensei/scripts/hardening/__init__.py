"""Close what a server of ours leaves open: a firewall, SSH without passwords, security updates."""
