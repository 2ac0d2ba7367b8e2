"""What runs on the server, as root. Standard library only: a bare server has nothing else.

One step is one module with a `run(step)`; `main.py` dispatches, `step.py` is what a step works with.
"""
