"""`make demo`: a Django project on a throw-away server, deployed with a real `pulumi up` and checked."""
