"""How the parts of a project are taken off the server, one subject each."""
