"""Real Django projects: made by their own generators and tutorials, deployed, and used as people use them."""
