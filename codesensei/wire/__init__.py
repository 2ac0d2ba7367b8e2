"""What both sides of the connection know, once: paths, names, the data of each step, the env file, digests, links.

Python's standard library only: this room travels to the server with the toolkit.
"""
