"""What a preview tells a reviewer."""
