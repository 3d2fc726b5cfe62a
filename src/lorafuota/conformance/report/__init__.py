"""Results of checks for people, for programs and for continuous integration."""
