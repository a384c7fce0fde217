"""Results for people to read: tables on the terminal, and CSV files."""
