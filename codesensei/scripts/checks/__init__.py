"""What is checked on the server before anything changes there; one module for each subject."""
