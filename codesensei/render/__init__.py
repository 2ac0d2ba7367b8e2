"""Data to text: units, proxy site, log rotation. Pure functions, no Pulumi, no network."""
