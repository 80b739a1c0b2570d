"""What can be done in Slack: one module for each kind of object."""
