"""What can be done in a database: reading, changing rows, putting them back, defining tables."""
