"""Other ways to do what a deploy does, written as their own users would; none of them proves what it has done."""
