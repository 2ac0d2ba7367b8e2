"""Stand-ins for Pulumi's Python language host, pulumi-command and pulumi-random.

They speak the engine's gRPC protocol, so that a program behaves the same with them as with the official
plugins, on machines where those cannot be downloaded. Differences that are meant are named in README.md.
"""
