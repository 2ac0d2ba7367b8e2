"""What runs on the server, as root. Standard library only: a bare server has nothing else.

`main.py` runs one step of `steps/`, which stand on `serving/`; that stands on `postgres/` and `release/`, and those on
`base/`.
"""
