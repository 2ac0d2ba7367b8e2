"""Programs and settings that run as the app user, most of them inside the project's own Python; sent as they are."""
