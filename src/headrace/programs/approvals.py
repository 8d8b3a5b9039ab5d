"""What follows from approvals."""
