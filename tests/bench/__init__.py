"""How deploys are measured."""
