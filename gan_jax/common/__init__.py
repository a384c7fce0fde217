"""What every other package uses: errors, validation, files, progress."""
