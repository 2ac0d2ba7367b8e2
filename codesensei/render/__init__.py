"""Data to text: units, proxy site, env file. Pure functions, no Pulumi, no network."""
