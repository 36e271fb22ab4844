"""What happens without a request: jobs on a schedule."""
