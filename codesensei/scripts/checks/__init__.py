"""What is checked on the server before anything is changed there, one subject each."""
