"""For a pipeline's jobs: the comment that shows a preview in a merge request, and the review of a merged commit."""
