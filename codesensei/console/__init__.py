"""The program `codesensei`: what a person asks of a deployed stack, and does to it; and review stacks."""
