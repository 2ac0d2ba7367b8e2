"""How the parts of a project are removed from the server; one module for each subject."""
