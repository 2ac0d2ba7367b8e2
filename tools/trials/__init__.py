"""Trials on sandbox servers: a deployed stack, its visitors, and what is done to both."""
