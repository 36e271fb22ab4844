"""What may have a second implementation, one of them outside the process."""
