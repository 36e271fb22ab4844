"""What has two implementations, one of them outside the process; so far nothing has."""
