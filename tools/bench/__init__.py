"""How long deploys take: the same few changes again and again, on a sandbox server."""
