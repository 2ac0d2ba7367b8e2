"""One module for each step, with a `run(step)`; `look` and `manage` read alone, `renewed` is called by certbot."""
