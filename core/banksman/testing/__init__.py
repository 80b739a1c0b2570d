"""What connector authors test with: sandboxes, recordings, and the contract suite."""
