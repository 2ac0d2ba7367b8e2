"""What serves: the candidate, the hand-over of visitors, workers, certificates, and putting back what was live."""
